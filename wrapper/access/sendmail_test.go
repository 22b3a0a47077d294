package access

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// extras make a sendmail.cf with all that looks for a client in the access map, and with rulesets
// that call these from sendmail's test mode, which has no other way to write "$|".
const extras = "FEATURE(`access_db', `hash -T<TMPF> SITE/access', `skip')dnl\n" +
	"FEATURE(`greet_pause')dnl\nFEATURE(`ratecontrol')dnl\nFEATURE(`conncontrol')dnl\n" +
	"LOCAL_RULESETS\n" +
	"Srelay\nR$* $$| $*\t$: $>\"Basic_check_relay\" $1 $| $2\n\n" +
	"Spause\nR$* $$| $*\t$: $>\"greet_pause\" $1 $| $2\n\n" +
	"Srate\nR$*\t$: $>\"RateControl\" $1\n\n" +
	"Sconn\nR$*\t$: $>\"ConnControl\" $1\n\n"

// sendmail is a site with an access map.
type sendmail struct {
	t    testing.TB
	site lab.SendmailSite
}

func newSendmail(t testing.TB, more string) sendmail {
	lab.Need(t, lab.NoNamespaces()) // with a short host name sendmail sleeps for a minute
	lab.Need(t, lab.NoSendmail())
	s := sendmail{t, lab.SendmailSite{Dir: t.TempDir(), Extras: more + extras}}
	if err := s.site.Make(); err != nil {
		t.Fatal(err)
	}
	return s
}

// file is a file of the site.
func (s sendmail) file(name string) string { return filepath.Join(s.site.Dir, name) }

// makemap makes the database of a map. It takes all right lines even if others are wrong.
func (s sendmail) makemap(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.file("access"), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("makemap", "hash", s.file("access"))
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		s.t.Fatalf("%v: %s", err, out)
	}
}

// command is a sendmail of the site.
func (s sendmail) command(args ...string) *exec.Cmd {
	return exec.Command(lab.Sendmail, append([]string{"-C", s.site.CF()}, args...)...)
}

// client is one of which sendmail and we are asked.
type client struct {
	addr netip.Addr
	name string // "" if it is not confirmed
}

// names are the confirmed ones.
func (c client) names() []string {
	if c.name == "" {
		return nil
	}
	return []string{c.name}
}

func (c client) String() string { return fmt.Sprintf("%v %q", c.addr, c.name) }

// written is the address as sendmail has it.
func (c client) written() string {
	if c.addr.Is4() {
		return c.addr.String()
	}
	b := c.addr.As16()
	s := "IPv6"
	for i := 0; i < 16; i += 2 {
		s += fmt.Sprintf(":%x", int(b[i])<<8|int(b[i+1]))
	}
	return s
}

// named is the client's name as sendmail has it.
func (c client) named() string {
	if c.name == "" {
		return "[" + c.written() + "]"
	}
	return c.name
}

// answer is what sendmail says of a client, in words that we have, too.
type answer [Tags]string

// ask asks sendmail in its test mode about clients.
func (s sendmail) ask(clients []client) []answer {
	s.t.Helper()
	var in strings.Builder
	for _, c := range clients {
		// Nobody comes more often, or has more connections, than 0: so each limit is printed.
		fmt.Fprintf(&in, ".D{client_addr}%s\n.D{client_name}%s\n.D{client_rate}0\n"+
			".D{client_connections}0\nrelay %[2]s $| %[1]s\npause %[2]s $| %[1]s\nrate x\nconn x\n",
			c.written(), c.named())
	}
	cmd := s.command("-bt")
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %v: %s", cmd, err, out)
	}
	var answers []answer
	var a answer
	for _, c := range calls(string(out)) {
		switch c.ruleset {
		case "relay":
			a[Connect] = c.access()
		case "pause":
			a[GreetPause] = c.pause()
		case "rate":
			a[ClientRate] = c.limit()
		case "conn":
			a[ClientConn] = c.limit()
			answers = append(answers, a)
		}
	}
	if len(answers) != len(clients) {
		s.t.Fatalf("%d answers about %d clients:\n%s", len(answers), len(clients), out)
	}
	return answers
}

// call is one of a ruleset of extras.
type call struct {
	ruleset string
	returns string   // tokens with blanks between them
	inner   []string // lines of the rulesets that it called
}

func calls(output string) (all []call) {
	var inner []string
	for line := range strings.Lines(output) {
		line = strings.TrimLeft(strings.TrimRight(line, "\n"), "> ")
		name, returns, ok := strings.Cut(line, "returns:")
		name = strings.TrimSpace(name)
		if ok && slices.Contains([]string{"relay", "pause", "rate", "conn"}, name) {
			all = append(all, call{name, strings.TrimSpace(returns), inner})
			inner = nil
		} else {
			inner = append(inner, line)
		}
	}
	return all
}

// access is what check_relay returns. It returns OK for a client of which the map says nothing,
// too, but looks at the rates first.
func (c call) access() string {
	for _, line := range c.inner {
		if strings.HasPrefix(line, "RateControl") {
			return "nothing"
		}
	}
	status, text, isError := strings.Cut(strings.TrimPrefix(c.returns, "$# error "), "$: ")
	switch {
	case strings.EqualFold(c.returns, "OK"), strings.EqualFold(c.returns, "RELAY"),
		c.returns == "$# discard $: discard", status == "$@ quarantine ":
		return "OK"
	case c.returns == `$# error $@ 5 . 7 . 1 $: "550 Access denied"`:
		return "reject"
	case isError:
		return "text " + squeezed(text)
	}
	return c.returns
}

// pause is how many milliseconds sendmail waits: strtol(3) of the first word.
func (c call) pause() string {
	words := strings.Fields(c.returns)
	if len(words) < 2 {
		return "nothing"
	}
	return strconv.Itoa(min(strtol(words[1]), MaxPause))
}

// limit is what the search has found before a limit is compared with what the client does.
func (c call) limit() string {
	found := "?"
	for _, line := range c.inner {
		if s, ok := strings.CutPrefix(line, "SearchList       returns: <"); ok {
			found = strings.TrimSpace(strings.TrimSuffix(s, ">"))
		}
	}
	if found == "?" {
		return "nothing"
	}
	return strconv.Itoa(min(strtol(found), maxNumber))
}

// strtol is strtol(3) of words that are no signs, and 0 if they are no number.
func strtol(s string) int {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(s[:end])
	return n
}

// squeezed is a text without what sendmail's test mode adds to it.
func squeezed(text string) string {
	return strings.NewReplacer(" ", "", `"`, "", `\`, "").Replace(text)
}

// ours is what we say, in the same words. Of a text only that remains what the map has: a reply
// begins with a code and an enhanced status code.
func ours(found Found) (a answer) {
	for tag, e := range found {
		switch v := e.Value; v.Kind {
		case Nothing:
			a[tag] = "nothing"
		case OK:
			a[tag] = "OK"
		case Reject:
			a[tag] = "reject"
		case Number:
			a[tag] = strconv.Itoa(v.N)
		case Text:
			a[tag] = "text " + squeezed(v.Reply)
		default:
			a[tag] = fmt.Sprint(v)
		}
	}
	return a
}

// same compares two answers. A text of sendmail's begins with the code or the status or neither, as
// the map has it; the daemon shows the reply that becomes of it (TestReplies).
func same(ours, theirs answer) bool {
	for tag := range Tags {
		text, isText := strings.CutPrefix(theirs[tag], "text ")
		if ours[tag] == theirs[tag] {
			continue
		}
		reply, isReply := strings.CutPrefix(ours[tag], "text ")
		if !isText || !isReply || len(reply) < 8 {
			return false
		}
		code, status, rest := reply[:3], reply[3:8], reply[8:]
		if text != code+rest && text != code+status+rest && (code != "553" || text != rest) {
			return false
		}
	}
	return true
}
