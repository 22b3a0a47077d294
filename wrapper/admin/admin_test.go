package admin

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// place is a configuration with a ledger of its own.
type place struct {
	*testing.T
	conf, ledger string
}

// inPlace writes a configuration, with lines for mta and ledger.
func inPlace(t *testing.T, conf string) *place {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p := &place{t, filepath.Join(dir, "sendwrap.conf"), filepath.Join(dir, "ledger")}
	p.write(fmt.Sprintf("mta /bin/true\nledger %s clients=1024\n%s\nhostname mx.example.org\n",
		p.ledger, conf))
	return p
}

func (p *place) write(conf string) {
	p.Helper()
	if err := os.WriteFile(p.conf, []byte(conf), 0o600); err != nil {
		p.Fatal(err)
	}
}

// read returns the configuration.
func (p *place) read() string {
	p.Helper()
	text, err := os.ReadFile(p.conf)
	if err != nil {
		p.Fatal(err)
	}
	return string(text)
}

// says runs a command as it is typed: its first word, -f, then the others.
func (p *place) says(code int, args ...string) (stdout, stderr string) {
	p.Helper()
	var out, err bytes.Buffer
	args = append([]string{args[0], "-f", p.conf}, args[1:]...)
	if got := Run(args, filepath.Dir(p.conf), &out, &err); got != code {
		p.Errorf("%q: exit code %d; want %d\n%s%s", args, got, code, &out, &err)
	}
	return out.String(), err.String()
}

// do works on the ledger.
func (p *place) do(work func(t *ledger.Tx)) {
	p.Helper()
	p.inLedger(func(l *ledger.Ledger) {
		if err := l.Do(ledger.Now(), work); err != nil {
			p.Fatal(err)
		}
	})
}

// inLedger works with the ledger, of which it makes the file if there is none.
func (p *place) inLedger(work func(l *ledger.Ledger)) {
	p.Helper()
	l, _, err := ledger.Open(p.ledger, 1024, ledger.ThisBoot())
	if err != nil {
		p.Fatal(err)
	}
	defer l.Close()
	work(l)
}

// room makes this process a room that serves with the ledger.
func (p *place) room() {
	p.Helper()
	p.inLedger(func(l *ledger.Ledger) { l.RegisterRoom(ledger.Self(), "1.0") })
}

// enter makes n clients arrive that have this delay. This process has them, as a room if shared.
func (p *place) enter(network byte, n int, delay time.Duration, shared, serve bool) {
	p.Helper()
	self := ledger.Self()
	self.Shared = shared
	if shared {
		p.room()
	}
	for i := range n {
		addr := netip.AddrFrom4([4]byte{192, 0, network, byte(i)})
		client := netip.AddrPortFrom(addr, uint16(1024+i))
		p.do(func(t *ledger.Tx) {
			s, ok := t.Enter(ledger.Arrival{
				Client: client, Network: netip.PrefixFrom(client.Addr(), 32), Delay: delay,
				Limits: ledger.Limits{Serving: 100000, Waiting: 100000},
			}, self)
			if !ok {
				p.Errorf("client %d has found no place", i)
			}
			if serve {
				t.Serve(s)
			}
		})
	}
}

// lines returns the lines of a text that contain a word.
func lines(text, word string) (found []string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			found = append(found, strings.TrimSuffix(line, "\n"))
		}
	}
	return found
}

var placeholder = regexp.MustCompile(`<(\w+)>`)

// shows compares a text with a regular expression in which <8s> stands for what is left of 8s since
// began, and <age> for a time since then.
func shows(t *testing.T, got, want string, began time.Time) {
	t.Helper()
	elapsed := time.Since(began)
	pattern := "^" + placeholder.ReplaceAllString(want, `(\S+)`) + "$"
	found := regexp.MustCompile(pattern).FindStringSubmatch(got)
	if found == nil {
		t.Errorf("got\n%s\nwant\n%s", got, want)
		return
	}
	for i, stands := range placeholder.FindAllStringSubmatch(want, -1) {
		least, most := time.Duration(0), elapsed
		if stands[1] != "age" {
			var err error
			if most, err = time.ParseDuration(stands[1]); err != nil {
				t.Fatal(err)
			}
			least = most - elapsed - time.Second // what is shown is cut off
		}
		if d, err := time.ParseDuration(found[i+1]); err != nil || d < least || d > most {
			t.Errorf("%q, %v: want %v to %v for %s in\n%s",
				found[i+1], err, least, most, stands[0], got)
		}
	}
}

// No line of the usage ends with a blank.
func TestUsage(t *testing.T) {
	var out bytes.Buffer
	Usage(&out)
	for line := range strings.Lines(out.String()) {
		if line != strings.TrimRight(line, " \n")+"\n" {
			t.Errorf("%q ends with a blank", line)
		}
	}
}

// Each command prints its usage.
func TestHelp(t *testing.T) {
	for _, cmd := range commands() {
		if cmd.run == nil {
			continue
		}
		var out, errs bytes.Buffer
		if code := Run([]string{cmd.name, "-h"}, ".", &out, &errs); code != 0 || errs.Len() > 0 ||
			!strings.HasPrefix(out.String(), "usage: sendwrap "+cmd.name+" ") &&
				cmd.name != "version" {
			t.Errorf("%s -h: exit code %d\n%s%s", cmd.name, code, &out, &errs)
		}
	}
}
