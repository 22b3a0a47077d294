package admin

import "strings"

// foldWidth is what a terminal of 100 columns has beside the numbers and names of the tests, which
// is the least that stands before a text.
const foldWidth = 69

// folded breaks a text that is too long for one line: after semicolons, and a part that is too long
// by itself at blanks.
func folded(text string) (lines []string) {
	for _, part := range strings.SplitAfter(text, "; ") {
		last := len(lines) - 1
		if last >= 0 && len(lines[last])+len(strings.TrimRight(part, " ")) <= foldWidth {
			lines[last] += part
			continue
		}
		for len(strings.TrimRight(part, " ")) > foldWidth {
			end := strings.LastIndexByte(part[:foldWidth+1], ' ')
			if end < 0 {
				break
			}
			lines, part = append(lines, part[:end]), part[end+1:]
		}
		lines = append(lines, part)
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}
