package try

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
)

// The show has lists and a resolver of its own: it asks nobody else, and writes no key of a list
// into its own configuration.
func TestListsAreOfTheShow(t *testing.T) {
	file := write(t, "mta "+built()+" try -mta\ndnsbl s3cretk3y.example*9 as=mine\n"+
		"resolver 192.0.2.1\n")
	given, err := config.Load(file, allowlist.All())
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(Options{Program: built(), Config: given, File: file}, "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	text, err := os.ReadFile(s.file)
	if err != nil || strings.Contains(string(text), "s3cret") ||
		strings.Count(string(text), "\ndnsbl ") != 3 {
		t.Errorf("%v\n%s", err, text)
	}
	c := s.config
	if len(c.Lists) != 3 || len(c.Resolvers) != 1 || c.Resolvers[0] != s.nameserver.at {
		t.Errorf("%+v, %v", c.Lists, c.Resolvers)
	}
	if len(given.Lists) != 1 || given.Resolvers[0].Addr() != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("what was given has changed: %+v, %v", given.Lists, given.Resolvers)
	}
}

// Whatever comes, the nameserver does not answer what is no question, and does not end.
func TestAnswerTo(t *testing.T) {
	question := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" +
		"\x012\x010\x010\x03127\x03bad\x03try\x07example\x00\x00\x01\x00\x01")
	answer, ok := answerTo(question)
	if !ok || !strings.HasSuffix(string(answer), "\x00\x04\x7f\x00\x00\x02") {
		t.Errorf("%v %q", ok, answer)
	}
	for n := range question {
		if _, ok := answerTo(question[:n]); ok {
			t.Errorf("the first %d bytes of a question are answered", n)
		}
	}
	question[2] |= 0x80
	if _, ok := answerTo(question); ok {
		t.Error("an answer is answered")
	}
}
