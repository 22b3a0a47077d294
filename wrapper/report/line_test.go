package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/loglines"
	"sendwrap/wrapper/maillog"
)

const (
	pass  = `PASS client=[192.0.2.1]:5 server=[198.51.100.5]:25 wait=6s/6s`
	clock = "Dec  1 15:47:17"
)

// A client's text changes no count, whatever it is.
func TestClientTextCountsNothing(t *testing.T) {
	for _, text := range []string{
		`x`, `" server=[198.51.100.5]:25 kind=other`, "\n" + clock + " mx sendwrap[1]: " + pass,
		`\" left=1h`, `\`, `\\`, "\x00\xff", strings.Repeat(`"`, 200),
	} {
		line := maillog.NewLine("PREGREET").Str("client", "[192.0.2.9]:5").
			Str("server", "[198.51.100.5]:25").Str("kind", "ehlo").Data("data", []byte(text))
		r := readText(t, clock+" mx sendwrap[1]: "+line.String()+"\n")
		if r.Lines != 1 || r.Connections != 1 || r.Refused != 1 || r.Blocks.New != 0 ||
			len(r.Kinds) != 1 || r.Kinds[0].Key != "ehlo" || len(r.Newer) != 0 ||
			r.Unreadable.Garbled != 0 {
			t.Errorf("%q: %+v", text, r)
		}
	}
}

func readText(t *testing.T, text string) *Report {
	t.Helper()
	now := time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	o := Options{Sources: named("-")}
	o.Stdin, o.Now = strings.NewReader(text), now
	r, err := Read(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A client that is blocked on purpose has shown no early bytes. A block that was cut is none, and a
// client that was cut before its server is none of the guard.
func TestBlocksByHand(t *testing.T) {
	const head = clock + " mx sendwrap[1]: "
	const blocked = "BLOCKED client=[192.0.2.1]:5 server=[::1]:25 reason="
	for reason, kind := range map[string]string{
		"pregreet:tls": "tls", "administrator": "", "pregreet": "", "tls": "",
	} {
		r := readText(t, head+pass+"\n"+head+blocked+reason+"\n")
		if len(r.Mistakes) != 1 || r.Mistakes[0].Kind != kind {
			t.Errorf("%s: %+v; want the kind %q", reason, r.Mistakes, kind)
		}
	}
	for _, line := range []string{"BLOCK", "BLOCK network=192.0.2.0", "BLOCK network=192.0.2.0/2",
		"BLOCK network=192.0.2.0/24 for=", "PREGREET client=[192.0.2.1]:5",
		"STRIKE client=[192.0.2.1] network=192 left=1h"} {
		r := readText(t, head+line+"\n")
		if b := r.Blocks; b.New+b.ByHand+len(b.Last)+len(r.Verdicts)+len(r.Hours) != 0 ||
			r.Unreadable.Garbled != 1 {
			t.Errorf("%s: %+v, %+v", line, r, r.Unreadable)
		}
	}
}

// An MTA that was ended on purpose, or that its client has left, has not ended badly.
func TestEnded(t *testing.T) {
	const head = clock + " mx sendwrap[1]: ENDED client=[192.0.2.1]:5 server=[::1]:25 after=3s "
	r := readText(t, head+"signal=15\n"+head+"signal=11\n"+head+"status=1\n")
	if len(r.Sessions) != 1 || r.Sessions[0].Count != 1 || r.Trouble.Ended != 1 {
		t.Errorf("%+v, %d", r.Sessions, r.Trouble.Ended)
	}
}

// The row of an observed verdict says how often the limit of a wide network was the reason.
func TestObservedWide(t *testing.T) {
	const begin = clock + " mx sendwrap[1]: "
	const head = begin + "RATE client=[192.0.2.1]:5 server=[::1]:25 mode=observe "
	const own, wide = "rate=10/10 per=1m\n", "network=192.0.2.0/24 rate=90/90 per=1m\n"
	r := readText(t, head+own+head+wide+head+own+begin+
		"SENT client=[192.0.2.1]:5 network=192.0.2.1/32 observed=RATE\n")
	if f := r.Verdicts[0]; f.Observed != 3 || f.Wide != 1 {
		t.Errorf("%+v", f)
	}
	if f := readText(t, begin+pass+" mode=observe\n").Verdicts[0]; f.Observed != 0 {
		t.Errorf("a client that is served is not observed: %+v", f)
	}
	row := regexp.MustCompile(`  3  RATE, 1 by a wide network +then sent mail: 1\n`)
	if text := textOf(t, r); !row.MatchString(text) {
		t.Error(text)
	}
}

// Whom the guard refuses is no mistake, unless it has named good recipients as well. Bounces are no
// offence at all: they come from honest servers.
func TestGuardsClients(t *testing.T) {
	const known, head = "KNOWN client=[192.0.2.1]:5 server=[::1]:25", clock + " mx sendwrap[1]: "
	for rest, want := range map[string]struct{ mistaken, offenders int }{
		"BADRCPTS client=[192.0.2.1]:5 bad=3/3":                                    {0, 1},
		"BADRCPTS client=[192.0.2.1]:5 bad=3/3 good=2":                             {1, 1},
		"BADRCPTS client=[192.0.2.1]:5 total=9/9 total_good=2":                     {1, 1},
		"BADRCPTS client=[192.0.2.1]:5 bounces=3/3 sender=null good=2":             {0, 0},
		"BLOCKED client=[192.0.2.1]:5 server=[::1]:25 left=9m reason=bad_rcpts":    {0, 1},
		"BLOCKED client=[192.0.2.1]:5 server=[::1]:25 left=9m reason=pregreet:tls": {1, 1},
	} {
		r := readText(t, head+known+"\n"+head+rest+"\n")
		if r.Mistaken != want.mistaken || len(r.Addresses) != want.offenders {
			t.Errorf("%s: %d mistakes, %d offenders", rest, r.Mistaken, len(r.Addresses))
		}
	}
}

// A line of a newer version is counted, and what is new in it, too.
func TestNewer(t *testing.T) {
	r := readText(t, clock+" mx sendwrap[1]: "+pass+" colour=red data=\"x\"\n"+
		clock+" mx sendwrap[1]: QUARANTINE client=[192.0.2.1]:5 reason=x\n")
	if r.Lines != 2 || r.Served != 1 || fmt.Sprint(r.Newer) !=
		"[{QUARANTINE 1 0 } {colour= 1 0 }]" {
		t.Errorf("%+v", r)
	}
}

// What cannot be read is counted, and the rest is read.
func TestBadInput(t *testing.T) {
	good := clock + " mx sendwrap[1]: " + pass + "\n"
	long := strings.Repeat("x", 3*64<<10)
	r := readText(t, good+"\x7fELF\x02\x01\x00binary sendwrap\n"+good+long+"\n"+good+
		clock+" mx sendwrap[1]: PASS client=[192.0.2.1\n"+clock+" mx sm-mta[1]: other\n"+
		good+clock+" mx sendwrap[1]: PASS cli")
	if u := r.Unreadable; r.Served != 4 || u.Lines != 1 || u.TooLong != 1 || u.Garbled != 2 {
		t.Errorf("%d served, %+v", r.Served, u)
	}
	text := textOf(t, r)
	if strings.Count(text, "not read: ") != 1 {
		t.Errorf("not said once:\n%s", text)
	}

	if r := readText(t, ""); r.Lines != 0 ||
		!strings.Contains(textOf(t, r), "no line of sendwrap") {
		t.Errorf("an empty log: %s", textOf(t, r))
	}
	dir := t.TempDir()
	log := put(t, filepath.Join(dir, "good"), []byte(good), weekEnd)
	gone := filepath.Join(dir, "gone")
	packed := packed(t, []byte(strings.Repeat(good, 5000)))
	for name, bytes := range packed {
		put(t, filepath.Join(dir, name), bytes[:len(bytes)*9/10], weekEnd)
		r := readLogs(t, log, filepath.Join(dir, name), dir, gone)
		if u := r.Unreadable.Files; len(u) != 3 || r.Served < 1 || r.Served > 5001 {
			t.Errorf("%s, cut: %d served, %v", name, r.Served, u)
		}
	}
	for _, logs := range [][]string{{dir}, {gone}, {gone, dir}} {
		if _, err := Read(Options{Sources: named(logs...)}); err == nil {
			t.Errorf("no error for %q alone", logs)
		}
	}
	o := Options{Sources: named()}
	o.MailLog, o.Journalctl = gone, gone
	_, err := Read(o)
	if err == nil || !strings.Contains(err.Error(), gone) {
		t.Errorf("no log at all: %v", err)
	}
}

// Of a log with more clients than are remembered, as many are kept as the manual says.
func TestBounded(t *testing.T) {
	log := filepath.Join(t.TempDir(), "mail.log")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	const clients = 300_000
	for i := range clients {
		word := "DENIED"
		if i%2 == 0 {
			word = "PASS"
		}
		fmt.Fprintf(f, "%s mx sendwrap[1]: %s client=[10.%d.%d.%d]:5 server=[198.51.100.5]:25\n",
			clock, word, i>>16, i>>8&255, i&255)
	}
	f.Close()
	c := &counter{r: &Report{Until: time.Now().AddDate(1, 0, 0), Zone: time.UTC}}
	o := loglines.Sources{Logs: []string{log}, Zone: time.UTC}
	if _, err := o.Read(time.Time{}, c.add); err != nil {
		t.Fatal(err)
	}
	if n, m := len(c.clients.servedOnes), len(c.clients.refusedOnes); n != maxClients ||
		m != maxClients || c.clients.forgotten != clients-2*maxClients {
		t.Errorf("%d and %d clients are kept, %d forgotten", n, m, c.clients.forgotten)
	}
	if n := len(c.addresses.cells); n != maxKeys || len(c.addresses.index) != maxKeys {
		t.Errorf("%d addresses are kept", n)
	}
	if c.finish(); c.r.Connections != clients {
		t.Errorf("%d connections", c.r.Connections)
	}
}

// Whatever a log says, there is a report: of lines and whole logs, packed ones too. The inputs are
// in testdata/fuzz.
func FuzzReport(f *testing.F) {
	f.Fuzz(func(t *testing.T, line []byte) {
		o := Options{Sources: named("-")}
		o.Stdin = bytes.NewReader(line)
		r, err := Read(o)
		if err != nil {
			return // packed, and damaged
		}
		if err := r.Text(io.Discard); err != nil {
			t.Error(err)
		}
		if err := r.HTML(io.Discard); err != nil {
			t.Error(err)
		}
	})
}
