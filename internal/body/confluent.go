package body

import (
	"bytes"

	"dds-backup-delete/internal/strictjson"
)

// TrimSchemaID returns a text without the prefix of Confluent's serializers: a zero byte, and four
// bytes that are the number of a schema. JSON begins with neither.
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
func TrimSchemaID(text []byte) []byte {
	const prefix = 5
	if len(text) <= prefix || text[0] != 0 {
		return text
	}
	rest := bytes.TrimLeft(strictjson.TrimMark(text[prefix:]), " \t\r\n")
	if len(rest) == 0 || rest[0] != '{' && rest[0] != '[' {
		return text
	}
	return rest
}
