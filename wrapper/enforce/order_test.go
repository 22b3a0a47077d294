package enforce

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// end has on_block told that blocks have been ended, with all the patience there is.
func (p *place) end(network string) {
	p.Helper()
	e := p.enforcer()
	e.patience = never
	_ = e.Tell(Block{Network: netip.MustParsePrefix(network), Reason: "unblock"}) // killed, on a slow machine
}

// told are the lines that the hook has written.
func (p *place) told() []string { return slices.Collect(strings.Lines(p.content("told"))) }

// Blocks that begin do not wait for those that end: of these one is told at a time, and all that
// begin are told while it runs.
func TestBeginsBeforeEnds(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`d=${0%/*}
if test $4 != 0; then echo $2 >>$d/told; exit; fi
mkdir -p $d/ends; touch $d/ends/$$; n=0
for p in $d/ends/*; do kill -0 ${p##*/} 2>&- && n=$((n+1)); done; echo $n >>$d/counts
until test -e $d/go; do sleep 0.1; done`)
	const many = 8
	var ends, begins sync.WaitGroup
	for i := range many {
		ends.Go(func() { p.end(fmt.Sprintf("203.0.113.%d/32", i)) })
	}
	lab.Eventually(p, "an end is being told", func() bool { return p.content("counts") != "" })
	for i := range many {
		b := p.block(fmt.Sprintf("198.51.100.%d/32", i), time.Hour)
		begins.Go(func() {
			e := p.enforcer()
			e.patience = never
			if err := e.Tell(b); err != nil {
				t.Error(err)
			}
		})
	}
	begins.Wait()
	p.write("go", "", 0o600)
	ends.Wait()
	if told := p.told(); len(told) != many {
		t.Errorf("told %q", told)
	}
	for _, n := range strings.Fields(p.content("counts")) {
		if n != "1" {
			t.Errorf("%s ends are told at a time", n)
		}
	}
}

// What begins within a network while on_block is told its end is told afterwards: a firewall has
// forgotten it with all the rest.
func TestBegunWhileEnding(t *testing.T) {
	p := inPlace(t, "allow 192.0.2.128/25")
	p.hook(`d=${0%/*}; echo "$2 $4" >>$d/told
test "$2" != 192.0.2.0/24 || touch $d/ending
test "$2" != 192.0.2.0/24 || until test -e $d/go; do sleep 0.1; done`)
	p.block("203.0.113.1/32", time.Hour)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.end("192.0.2.0/24")
	}()
	lab.Eventually(p, "the end is being told", func() bool { return p.content("told") != "" })
	for _, n := range []string{"192.0.2.1/32", "192.0.2.200/32", "192.0.0.0/16"} {
		p.block(n, time.Hour)
	}
	p.write("go", "", 0o600)
	<-done
	told := p.told()
	if len(told) != 2 || told[0] != "192.0.2.0/24 0\n" || !strings.HasPrefix(told[1], "192.0.2.1/32 3") {
		t.Errorf("told %q, log %q", told, p.said())
	}
}

// A block that is ended while on_block hears that it has begun: it hears the end as well, which may
// have been told before.
func TestEndedWhileBeginning(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`d=${0%/*}; echo "$2 $4" >>$d/told
test "$4" = 0 || until test -e $d/go; do sleep 0.1; done`)
	b := p.block("203.0.113.1/32", time.Hour)
	done := make(chan error)
	go func() { done <- p.enforcer().Tell(b) }()
	lab.Eventually(p, "the beginning is being told", func() bool { return p.content("told") != "" })
	p.unblock("203.0.113.1/32")
	p.end("203.0.113.1/32") // which another process may do faster
	p.write("go", "", 0o600)
	err := <-done
	if told := p.told(); len(told) != 3 || told[2] != "203.0.113.1/32 0\n" {
		t.Errorf("%v, told %q", err, told)
	}
}

// What an allow line lets through on_block is told is free, once for the widest network.
func TestAllowedIsTold(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`echo "$2 $4 $5" >>${0%/*}/told`)
	hook := "on_block " + p.file("hook") + " first\n"
	p.configure(hook)
	q := p.queue()
	for i := range 20 {
		p.block(fmt.Sprintf("10.1.2.%d/32", i), time.Hour)
	}
	for _, n := range []string{"192.0.2.0/24", "203.0.113.1/32", "2001:db8::/64"} {
		p.block(n, time.Hour)
	}
	p.block("192.0.2.9/32", 2*time.Hour)
	quiet := func() bool { return q.Hurry() }
	for _, tt := range []struct{ conf, told string }{
		{"", ""},
		{"allow 198.51.100.1", ""},
		// With the network of the one that is allowed a firewall forgets the other in it.
		{"allow 10.0.0.0/8 192.0.2.77", "10.0.0.0/8 0 allow|192.0.2.0/24 0 allow|192.0.2.9/32 7 test"},
		{"allow 2001:db8::1", "2001:db8::/64 0 allow"},
		{"allow 203.0.113.1\nmode observe", "0.0.0.0/0 0 observe|::/0 0 observe"},
	} {
		p.write("told", "", 0o600)
		p.configure(hook + tt.conf)
		q.Configure(p.config, p.log)
		lab.Eventually(p, "all is told", quiet)
		var told []string
		for _, line := range p.told() {
			n, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			seconds, reason, _ := strings.Cut(rest, " ")
			told = append(told, n+" "+seconds[:1]+" "+reason)
		}
		if got := strings.Join(told, "|"); got != tt.told {
			t.Errorf("%q: told %q; want %q; log %q", tt.conf, got, tt.told, p.said())
		}
	}
}

// Of a thousand blocks under one allow line there is one thing to tell, and of what holds another.
func TestFreed(t *testing.T) {
	p := inPlace(t, "allow 10.0.0.0/8 10.1.0.0/16 192.0.2.7 192.0.2.9 2001:db8::/32")
	var running []ledger.BlockedNetwork
	for _, n := range []string{
		"10.1.2.3/32", "10.1.2.0/24", "10.200.0.0/16", "192.0.2.0/24", "192.0.0.0/16",
		"198.51.100.1/32", "2001:db8:1::/64", "2001:db9::/64",
	} {
		running = append(running, ledger.BlockedNetwork{Network: netip.MustParsePrefix(n)})
	}
	if got := fmt.Sprint(Freed(p.config, running)); got != "[10.0.0.0/8 192.0.0.0/16 2001:db8::/32]" {
		t.Errorf("got %s", got)
	}
}
