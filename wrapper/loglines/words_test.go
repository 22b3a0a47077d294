package loglines

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What sendwrap(8) says that a line may have is not taken for that of a newer version.
func TestWordsAreKnown(t *testing.T) {
	text, err := os.ReadFile("../../docs/sendwrap.8")
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ := strings.Cut(string(text), "\n.Sh LOG\n")
	page, _, _ = strings.Cut(page, "\n.Sh ")
	keys := regexp.MustCompile(`(?m)(?:^|[ "(])([a-z_]+)=`).FindAllStringSubmatch(page, -1)
	words := regexp.MustCompile(`(?m)^([A-Z]{3,}) [a-z_]+=`).FindAllStringSubmatch(page, -1)
	if len(keys) < 50 || len(words) < 10 {
		t.Errorf("%d keys, %d words: the test proves nothing", len(keys), len(words))
	}
	for _, key := range keys {
		if !isKnownKey(key[1]) {
			t.Errorf("%s= is not known", key[1])
		}
	}
	for _, word := range words {
		if !isOurs(word[1]) {
			t.Errorf("%s is not known", word[1])
		}
	}
}
