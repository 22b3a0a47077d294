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

// runAtEnd runs on_block for the end of blocks, however long it waits for a slot.
func (p *place) runAtEnd(network string) {
	p.Helper()
	e := p.enforcer()
	e.patience = never
	// On a slow machine the hook is killed, which is an error.
	_ = e.RunHook(Block{Network: netip.MustParsePrefix(network), Reason: "unblock"})
}

// runs are the lines that the hook has written.
func (p *place) runs() []string { return slices.Collect(strings.Lines(p.content("runs"))) }

// Blocks that begin do not wait for those that end: on_block runs for one end at a time, and
// meanwhile for all that begin.
func TestBeginsBeforeEnds(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`d=${0%/*}
if test $4 != 0; then echo $2 >>$d/runs; exit; fi
mkdir -p $d/ends; touch $d/ends/$$; n=0
for p in $d/ends/*; do kill -0 ${p##*/} 2>&- && n=$((n+1)); done; echo $n >>$d/counts
until test -e $d/go; do sleep 0.1; done`)
	const many = 8
	var ends, begins sync.WaitGroup
	for i := range many {
		ends.Go(func() { p.runAtEnd(fmt.Sprintf("203.0.113.%d/32", i)) })
	}
	lab.Eventually(p, "on_block runs for an end", func() bool { return p.content("counts") != "" })
	for i := range many {
		b := p.block(fmt.Sprintf("198.51.100.%d/32", i), time.Hour)
		begins.Go(func() {
			e := p.enforcer()
			e.patience = never
			if err := e.RunHook(b); err != nil {
				t.Error(err)
			}
		})
	}
	begins.Wait()
	p.write("go", "", 0o600)
	ends.Wait()
	if runs := p.runs(); len(runs) != many {
		t.Errorf("on_block ran for %q", runs)
	}
	for _, n := range strings.Fields(p.content("counts")) {
		if n != "1" {
			t.Errorf("on_block runs for %s ends at a time", n)
		}
	}
}

// If a block within a network begins while on_block runs for the network's end, on_block runs for
// it afterwards: a firewall has forgotten it with all the others.
func TestBeginWhileEnding(t *testing.T) {
	p := inPlace(t, "allow 192.0.2.128/25")
	p.hook(`d=${0%/*}; echo "$2 $4" >>$d/runs
test "$2" != 192.0.2.0/24 || touch $d/ending
test "$2" != 192.0.2.0/24 || until test -e $d/go; do sleep 0.1; done`)
	p.block("203.0.113.1/32", time.Hour)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.runAtEnd("192.0.2.0/24")
	}()
	lab.Eventually(p, "on_block runs for the end", func() bool { return len(p.runs()) > 0 })
	for _, n := range []string{"192.0.2.1/32", "192.0.2.200/32", "192.0.0.0/16"} {
		p.block(n, time.Hour)
	}
	p.write("go", "", 0o600)
	<-done
	runs := p.runs()
	if len(runs) != 2 || runs[0] != "192.0.2.0/24 0\n" ||
		!strings.HasPrefix(runs[1], "192.0.2.1/32 3") {
		t.Errorf("on_block ran for %q, log %q", runs, p.said())
	}
}

// If a block is ended while on_block runs for its begin, on_block runs for the end afterwards, even
// if another process has done so before.
func TestEndWhileBeginning(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`d=${0%/*}; echo "$2 $4" >>$d/runs
test "$4" = 0 || until test -e $d/go; do sleep 0.1; done`)
	b := p.block("203.0.113.1/32", time.Hour)
	done := make(chan error)
	go func() { done <- p.enforcer().RunHook(b) }()
	lab.Eventually(p, "on_block runs for the begin", func() bool { return len(p.runs()) > 0 })
	p.unblock("203.0.113.1/32")
	p.runAtEnd("203.0.113.1/32") // which another process may do faster
	p.write("go", "", 0o600)
	err := <-done
	if runs := p.runs(); len(runs) != 3 || runs[2] != "203.0.113.1/32 0\n" {
		t.Errorf("%v, on_block ran for %q", err, runs)
	}
}

// on_block runs for blocked networks that an allow line lets through, once for the widest network.
func TestRunForAllowed(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`echo "$2 $4 $5" >>${0%/*}/runs`)
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
	for _, tt := range []struct{ conf, runs string }{
		{"", ""},
		{"allow 198.51.100.1", ""},
		// With the network of the allowed client a firewall forgets the other block in it.
		{"allow 10.0.0.0/8 192.0.2.77",
			"10.0.0.0/8 0 allow|192.0.2.0/24 0 allow|192.0.2.9/32 7 test"},
		{"allow 2001:db8::1", "2001:db8::/64 0 allow"},
		{"allow 203.0.113.1\nmode observe", "0.0.0.0/0 0 observe|::/0 0 observe"},
	} {
		p.write("runs", "", 0o600)
		p.configure(hook + tt.conf)
		q.Configure(p.config, p.log)
		lab.Eventually(p, "on_block has run", quiet)
		var runs []string
		for _, line := range p.runs() {
			n, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			seconds, reason, _ := strings.Cut(rest, " ")
			runs = append(runs, n+" "+seconds[:1]+" "+reason)
		}
		if got := strings.Join(runs, "|"); got != tt.runs {
			t.Errorf("%q: on_block ran for %q; want %q; log %q", tt.conf, got, tt.runs, p.said())
		}
	}
}

// A thousand blocks under one allow line are one network to free, and so are networks within
// others.
func TestNetworksToFree(t *testing.T) {
	p := inPlace(t, "allow 10.0.0.0/8 10.1.0.0/16 192.0.2.7 192.0.2.9 2001:db8::/32")
	var blocks []ledger.BlockedNetwork
	for _, n := range []string{
		"10.1.2.3/32", "10.1.2.0/24", "10.200.0.0/16", "192.0.2.0/24", "192.0.0.0/16",
		"198.51.100.1/32", "2001:db8:1::/64", "2001:db9::/64",
	} {
		blocks = append(blocks, ledger.BlockedNetwork{Network: netip.MustParsePrefix(n)})
	}
	got := fmt.Sprint(networksToFree(p.config, blocks))
	if got != "[10.0.0.0/8 192.0.0.0/16 2001:db8::/32]" {
		t.Errorf("got %s", got)
	}
}
