package guard

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// The mail servers that send to ours: real ones, with their defaults, except for the destination.

// A sender is one of these programs.
type sender struct {
	name  string
	start func(*sending)
}

var senders = []sender{{"postfix", startPostfixSender}, {"exim", startEximSender},
	{"sendmail", startSendmailSender}}

// opensmtpd is another, only for what it does after a refused connection: it waits for long before
// it tries again.
var opensmtpd = sender{"opensmtpd", startOpenSMTPDSender}

// sending is a mail server of the clients'. All its mail goes to the site, bounces too.
type sending struct {
	t    *testing.T
	site *site
	way  way
	name string
	from netip.Addr
	dir  string
	tag  string // of its lines in the mail log
	as   string // the sender of messages

	submit func(text string, rcpts []string)
	queue  func(text string, rcpts []string) // which waits for again; nil if there is no way
	// tries all once more, to its end; nil if it does so by itself
	again func()
	lines func() []string
	fate  *regexp.Regexp // of a line: names, and what became of them
}

// author is who sends; the site knows it, so that it takes the bounces.
const author = "owner@" + lab.HostName

// eachSender runs a test with each sender, with STARTTLS and without, at each of the sites.
func eachSender(t *testing.T, o options, kinds []kind, test func(t *testing.T, x *sending)) {
	eachOf(t, senders, o, kinds, test)
}

func eachOf(
	t *testing.T, senders []sender, o options, kinds []kind, test func(t *testing.T, x *sending),
) {
	everySite(t, o, kinds, func(t *testing.T, s *site) {
		for _, from := range senders {
			for _, w := range []way{{}, {tls: true}} {
				t.Run(from.name+"-"+w.String(), func(t *testing.T) {
					t.Parallel()
					test(t, newSending(t, s, from, w))
				})
			}
		}
	})
}

func newSending(t *testing.T, s *site, from sender, w way) *sending {
	t.Helper()
	dir, err := os.MkdirTemp(lab.Dir(), from.name)
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	x := &sending{t: t, site: s, way: w, name: from.name, from: w.stranger(), dir: dir,
		tag: filepath.Base(dir), as: "<" + author + ">"}
	x.lines = func() []string {
		return maillog.Matching(regexp.MustCompile(`^mail\.\w+ ` + x.tag + `[/\[]`))
	}
	from.start(x)
	return x
}

func (x *sending) to() netip.AddrPort { return x.site.addr(x.from) }

// run runs a command in the clients' network, with input, until it ends.
func (x *sending) run(input string, cmd *exec.Cmd) {
	x.t.Helper()
	cmd.Stdin, cmd.Dir = strings.NewReader(input), x.dir
	out, err := os.OpenFile(filepath.Join(x.dir, "out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		x.t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	abroad.Do(func() { err = cmd.Start() })
	if err != nil {
		x.t.Fatal(err)
	}
	_ = cmd.Wait() // what became of the mail is in the log
}

// start sends a message, which is tried once.
func (x *sending) start(names []string) {
	x.t.Helper()
	var rcpts []string
	for _, name := range names {
		rcpts = append(rcpts, name+"@"+lab.HostName)
	}
	x.submit("From: <"+author+">\nSubject: "+newSubject()+"\n\n"+messageText+"\n", rcpts)
}

// send sends a message and tries until all recipients have their fate, as often as necessary. It
// returns the results of the tries for each.
func (x *sending) send(names ...string) map[string][]string {
	x.t.Helper()
	x.start(names)
	return x.finish(names)
}

// finish tries until all recipients have their fate. The log does not say how many tries are over:
// a sender may end one without a line about each recipient.
func (x *sending) finish(names []string) (fates map[string][]string) {
	x.t.Helper()
	finished := lab.Await(func() bool {
		fates = x.fates()
		if !slices.ContainsFunc(names, func(name string) bool { return !final(fates[name]) }) {
			return true
		}
		if x.again != nil {
			x.again()
		}
		return false
	})
	if !finished {
		x.t.Fatalf("not within %v: all recipients have their fate, only %v\n%s\n%s", lab.Patience,
			fates, strings.Join(x.lines(), "\n"),
			strings.Join(maillog.Containing(x.from.String()), "\n"))
	}
	return fates
}

// final reports whether nothing is left to do for a recipient with these results.
func final(tries []string) bool {
	return len(tries) > 0 && tries[len(tries)-1] != "deferred"
}

// fates are the words of the three.
var fates = map[string]string{"sent": "sent", "Sent": "sent", "=>": "sent", "->": "sent",
	"bounced": "bounced", "**": "bounced",
	"deferred": "deferred", "Deferred": "deferred", "==": "deferred",
	"Ok": "sent", "PermFail": "bounced", "TempFail": "deferred"}

// fates are the results for recipients in the log, in order.
func (x *sending) fates() map[string][]string {
	all := map[string][]string{}
	for _, line := range x.lines() {
		m := x.fate.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		named, word := m[x.fate.SubexpIndex("rcpts")], m[x.fate.SubexpIndex("fate")]
		if fate := fates[word]; fate != "" { // a 5xx has other words in sendmail's log each time
			word = fate
		} else {
			word = "bounced"
		}
		for _, rcpt := range regexp.MustCompile(`(\w+)@`).FindAllStringSubmatch(named, -1) {
			all[rcpt[1]] = append(all[rcpt[1]], word)
		}
	}
	return all
}
