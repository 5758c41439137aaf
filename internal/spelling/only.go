package spelling

import "strings"

// Characters for [Only].
const (
	Digits  = "0123456789"
	Lower   = "abcdefghijklmnopqrstuvwxyz"
	Letters = Lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// Only reports whether text consists of these characters, which are ASCII. The start of a Lambda
// function is too short for regular expressions.
func Only(text, characters string) bool { return strings.Trim(text, characters) == "" }
