package courier

import (
	"fmt"
	"strings"
	"testing"
)

// What an engine may answer passes, in parts of any size, and however much comes in all.
func TestAnswer(t *testing.T) {
	honest := strings.Join([]string{"+OK", "-NOPERM no", ":-7", "_", "#t", ",1.5", "(99", "$-1",
		"*-1", "$0", "", "$3", "$9\n", "=5", "txt:a", "!3", "bad", "*0", "*2", "$1", "x", ":1",
		"%1", "+a", "*2", "~1", "+b", "_", "|1", "+ttl", ":7", ">1", "+push",
		"*40" + strings.Repeat("\r\n*2\r\n*1\r\n$0\r\n\r\n*0", 40), ""}, "\r\n")
	for _, text := range []string{honest, "$300000\r\n" + strings.Repeat("*", 300_000) + "\r\n"} {
		for _, part := range []int{1, 2, 3, 7, 64 << 10} {
			var a answer
			for n := range 3 {
				for rest := text; rest != ""; {
					size := min(part, len(rest))
					if err := a.take([]byte(rest[:size])); err != nil {
						t.Fatalf("%.200q, in parts of %d: %v before %.20q", text, part, err, rest)
					}
					rest = rest[size:]
				}
				if a.left > 0 || a.text > 0 || len(a.line) > 0 {
					t.Fatalf("%.200q, %d times: %+v; want the end", text, n+1, a)
				}
			}
		}
	}
}

// An answer that would be too large, or of which a reader could not know how much comes, ends the
// connection as soon as it says so.
func TestAnswerIsRefused(t *testing.T) {
	for text, want := range map[string]error{
		"$600000\r\n":                             errTooLarge,
		"=600000\r\n":                             errTooLarge,
		"!600000\r\n":                             errTooLarge,
		"*2\r\n$300000\r\n":                       nil, // a control of the next
		"*200000\r\n":                             errTooLarge,
		"%90000\r\n":                              errTooLarge,
		"~200000\r\n":                             errTooLarge,
		">200000\r\n":                             errTooLarge,
		"|90000\r\n":                              errTooLarge,
		"*9\r\n*100000\r\n*100000\r\n":            errTooLarge,
		"+" + strings.Repeat("x", 600_000):        errTooLarge,
		strings.Repeat("*1\r\n", 17):              errAnswer,
		strings.Repeat("%1\r\n+a\r\n", 17):        errAnswer,
		strings.Repeat("|0\r\n", 17):              errAnswer,
		strings.Repeat("*1\r\n", 16) + "_\r\n":    nil,
		"*3\r\n" + large(300_000) + "$300000\r":   nil, // not yet
		"*3\r\n" + large(300_000) + "$300000\r\n": errTooLarge,
		"$99999999999999999999\r\n":               errAnswer,
		"$-2\r\n":                                 errAnswer,
		"*-2\r\n":                                 errAnswer,
		"%-1\r\n":                                 errAnswer,
		"$?\r\n":                                  errAnswer,
		"$\r\n":                                   errAnswer,
		"*1x\r\n":                                 errAnswer,
		"$5\n":                                    errAnswer,
		"\r\n":                                    errAnswer,
		"_xx\r\n":                                 errAnswer,
		"#\r\n":                                   errAnswer,
	} {
		var a answer
		if got := a.take([]byte(text)); got != want {
			t.Errorf("%.60q: %v; want %v", text, got, want)
		}
	}
}

func large(n int) string {
	return fmt.Sprintf("$%d\r\n%s\r\n", n, strings.Repeat("x", n))
}
