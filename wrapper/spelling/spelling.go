// Package spelling guesses which word a misspelled one means.
package spelling

import "strings"

// Nearest is the known word that a misspelled one probably means, in any case, or "".
func Nearest(word string, known []string) string {
	best, meant := len(word), ""
	word = strings.ToLower(word)
	for _, k := range known {
		if d := distance(word, strings.ToLower(k)); d <= (len(k)+2)/3 && d < best {
			best, meant = d, k
		}
	}
	return meant
}

// distance counts the letters to insert, delete or change to turn a into b (Levenshtein). Words of
// more than 31 letters are far from all others.
func distance(a, b string) int {
	const most = 31
	if len(a) > most || len(b) > most {
		return len(a) + len(b)
	}
	var row [most + 1]int // distances of a[:i] to each b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
