package body

import (
	"strings"
	"unicode"

	"dds-backup-delete/internal/deletion"
)

// maxPrincipal bounds, in bytes, the id of who asked.
const maxPrincipal = 256

// Principal returns who asked, from a type and an id that a source brings; nil if it brings neither. A type that the
// CloudEvents extension does not list is unknown. What cannot be printed is replaced, and a long id is cut.
func Principal(kind, id string) *deletion.Principal {
	if kind == "" && id == "" {
		return nil
	}
	switch kind {
	case "app_user", "user", "service_account", "api_key", "system", "unauthenticated":
	default:
		kind = "unknown"
	}
	id = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, id)
	if len(id) > maxPrincipal {
		id = strings.ToValidUTF8(id[:maxPrincipal], "")
	}
	return &deletion.Principal{Type: kind, ID: id}
}
