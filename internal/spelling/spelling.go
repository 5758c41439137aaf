// Package spelling finds the name that a misspelled one was probably meant to be, and checks of which
// characters a text consists.
package spelling

import "strings"

// Distance returns how many bytes must be inserted, deleted or replaced to turn a into b.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// Characters for [Only].
const (
	Digits  = "0123456789"
	Lower   = "abcdefghijklmnopqrstuvwxyz"
	Letters = Lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// Only reports whether text consists of these characters, which are ASCII. The start of a Lambda
// function is too short for regular expressions.
func Only(text, characters string) bool { return strings.Trim(text, characters) == "" }
