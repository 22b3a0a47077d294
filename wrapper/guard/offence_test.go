package guard

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// hold makes another process stop while it holds the ledger's lock; release ends it.
func (p *post) hold() (release func()) {
	p.t.Helper()
	holder := child(p.t, ourselves("hold", p.config.Load().Ledger.Path)).Process
	var status unix.WaitStatus
	if _, err := unix.Wait4(holder.Pid, &status, unix.WUNTRACED, nil); err != nil ||
		!status.Stopped() {
		p.t.Fatalf("%v, status %#x", err, status)
	}
	return func() { mustDo(p.t, holder.Kill()) }
}

// Offences while the ledger is busy are written later, in order, with all that follows from a
// block: on_block and the transcript. Bad recipients count, too. One line says that it takes long,
// and one that it is done.
func TestNothingLost(t *testing.T) {
	dir := t.TempDir()
	hook := filepath.Join(dir, "hook")
	mustDo(t, os.WriteFile(hook, []byte("#!/bin/sh\necho \"$1\" >>"+dir+"/calls\n"), 0o700))
	p := stand(t, "bad_rcpt_delay 0s\ntranscript "+dir+"/kept\non_block "+hook+"\n")
	release := p.hold()
	var networks []netip.Prefix
	for n := range 5 {
		addr := fmt.Sprintf("198.51.100.%d", n)
		networks = append(networks, netip.PrefixFrom(netip.MustParseAddr(addr), 32))
		m := p.client(addr)
		m.play("mail bad bad bad", "c c c 421")
		m.Close()
	}
	p.client("198.51.100.77").play("mail bad bad", "c c c")
	p.client("198.51.100.77").play("mail bad bad", "c c c")
	p.book.await(t, "mail.warning", "guard: the ledger has been busy for")
	if names := transcripts(t, dir+"/kept"); len(names) > 0 {
		t.Errorf("%q while it is not known whether there is a block", names)
	}
	release()
	p.book.await(t, "guard: the ledger is free again")
	if n := len(p.book.lines("mail.warning", "has been busy for")); n != 1 {
		t.Errorf("%d lines", n)
	}
	var blocks []ledger.BlockedNetwork
	p.inOther(func(tx *ledger.Tx) {
		for _, n := range networks {
			b, _ := tx.BlockOf(n.Addr(), n)
			blocks = append(blocks, b)
		}
		if n := tx.BadRcpt(netip.MustParsePrefix("198.51.100.77/32"), time.Hour); n.Bad != 5 {
			t.Errorf("%d bad recipients are counted; want 4", n.Bad-1)
		}
	})
	for i, b := range blocks {
		if b.Network != networks[i] || b.Reason != reasonBadRcpts || i > 0 &&
			b.Age > blocks[i-1].Age {
			t.Errorf("block %d of %v: %+v", i, networks[i], b)
		}
	}
	if n := p.count(int(decide.BadRcpts)); n != len(networks) {
		t.Errorf("%d are counted", n)
	}
	lab.Eventually(t, "transcripts", func() bool {
		return len(transcripts(t,
			dir+"/kept")) == len(networks)
	})
	lab.Eventually(t, "calls of on_block", func() bool {
		text, _ := os.ReadFile(dir + "/calls")
		calls := strings.Fields(string(text))
		slices.Sort(calls)
		return strings.Join(calls, " ") == "198.51.100.0/32 198.51.100.1/32 198.51.100.2/32 "+
			"198.51.100.3/32 198.51.100.4/32"
	})
}

// A blocked client that comes while the ledger is busy is refused when the ledger is free.
func TestBlockedUnasked(t *testing.T) {
	p := stand(t, rules+"block strikes=3 grace=60s\n")
	p.client("192.0.2.9").play("mail", "c")
	p.block("192.0.2.0/24", time.Hour)
	lab.Eventually(t, "the watch has seen it", p.session("192.0.2.9").blocked.Load)
	release := p.hold()
	m := p.client("192.0.2.1")
	m.play("mail", "c")
	release()
	lab.Eventually(t, "the ledger can be had",
		func() bool { return p.inLedger(func(*ledger.Tx) {}) == nil })
	m.play("good", "421")
}

// The number of writes that wait is bounded, and those that were dropped are counted.
func TestUnwrittenBounded(t *testing.T) {
	p := build(t, rules)
	written := 0
	for range maxUnwritten + 7 {
		p.writeLater(pendingWrite{
			write: func(*ledger.Tx) { written++ }, done: func() {}}, func() {})
	}
	p.writePending(time.Now())
	if written != maxUnwritten {
		t.Errorf("%d are written; want %d", written, maxUnwritten)
	}
	p.book.await(t, "mail.warning", "counts or blocks dropped: 7")
	n, _, err := p.door.Ledger.Report(ledger.Now())
	if err != nil || n.Troubles[ledger.Unwritten] != 7 {
		t.Errorf("%d are counted, %v; want 7", n.Troubles[ledger.Unwritten], err)
	}
}

// The first offence of a client that has shown good behaviour is a strike, the second is a block.
// Without good behaviour, or with too many in all, the first is a block.
func TestExcused(t *testing.T) {
	const network = "192.0.2.1/32"
	known := func(p *post) {
		p.inOther(func(tx *ledger.Tx) { tx.Remember(netip.MustParsePrefix(network), time.Hour) })
	}
	for _, c := range []struct {
		name, conf string
		before     func(*post)
		sessions   []string // what the MTA says, and the guard's last answer is 421
		lines      []string
	}{
		{"a stranger", "", nil, []string{"mail bad bad bad"}, []string{"left=1h reason=bad_rcpts"}},
		{"a good one in the session", "", nil,
			[]string{"mail good bad bad bad", "mail good bad bad bad"},
			[]string{"strikes=1/2 reply", "strikes=2/2 left=1h reason=bad_rcpts"}},
		{"known", "", known, []string{"mail bad bad bad"}, []string{"strikes=1/2 reply"}},
		{"known once", "", known, []string{"mail bad bad bad", "mail bad bad bad"},
			[]string{"strikes=1/2 reply", "good=0 total_good=0 left=1h"}},
		{"mail before", "", func(p *post) { p.client("192.0.2.1").play("mail good end", "c c c") },
			[]string{"mail bad bad bad"}, []string{"good=0 total_good=1 strikes=1/2 reply"}},
		{"no message", "", func(p *post) { p.client("192.0.2.1").play("mail good rset", "c c") },
			[]string{"mail bad bad bad"}, []string{"good=0 total_good=0 left=1h"}},
		{"more mail before", "", func(p *post) {
			p.client("192.0.2.1").play("mail good good good good end", "c c c c c c")
		},
			[]string{"mail bad bad bad", "mail bad bad bad",
				"mail bad bad bad"}, []string{"good=0 total_good=4 reply",
				"good=0 total_good=4 strikes=1/2 reply",
				"good=0 total_good=4 strikes=2/2 left=1h"}},
		{"more good ones in the message", "", nil, []string{"mail good good good good bad bad bad"},
			[]string{"good=4 total_good=0 reply"}},
		{"but not for a total", "bad_rcpts_total 3/1h", nil,
			[]string{"mail good good good good bad bad bad"},
			[]string{"good=4 total_good=0 left=1h"}},
		{"too many in all", "bad_rcpts_total 3/1h", known, []string{"mail good bad bad bad"},
			[]string{"good=1 total_good=0 left=1h"}},
		{"one strike is enough", "block strikes=1", known, []string{"mail good bad bad bad"},
			[]string{"strikes=1/1 left=1h"}},
		{"no blocks", "block off", known, []string{"mail good bad bad bad",
			"mail good bad bad bad"},
			[]string{"total_good=0 reply", "total_good=0 reply"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := stand(t, "bad_rcpt_delay 0s\n"+c.conf+"\n")
			if c.before != nil {
				c.before(p)
			}
			for i, said := range c.sessions {
				m := p.client("192.0.2.1")
				m.play(said, strings.Repeat("c ", strings.Count(said, " "))+"421")
				m.Close()
				lab.Eventually(t, "its line", func() bool {
					return len(p.book.lines("BADRCPTS")) == i+1
				})
				if line := p.book.lines("BADRCPTS")[i]; !strings.Contains(line, c.lines[i]) {
					t.Errorf("session %d: %s; want %s", i+1, line, c.lines[i])
				}
			}
			blocked := false
			p.inOther(func(tx *ledger.Tx) {
				_, blocked = tx.BlockOf(netip.MustParseAddr("192.0.2.1"),
					netip.MustParsePrefix(network))
			})
			if last := c.lines[len(c.lines)-1]; blocked != strings.Contains(last, "left=") {
				t.Errorf("blocked: %v", blocked)
			}
		})
	}
}

// bad_rcpts_total acts only while enough of the network's recipients were bad. Good ones count when
// their message was accepted, each name once a message.
func TestShare(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\nbad_rcpts 0\nbad_rcpts_total 3/1h share=50\n")
	again := func() { p.client("192.0.2.1").play("mail bad", "c c") }
	for range 4 {
		p.client("192.0.2.1").play("mail good end", "c c c")
	}
	m := p.client("192.0.2.1")
	m.play("mail", "c")
	for range 50 {
		m.want("c", m.good("Same"))
		m.want("c", m.good("same"))
	}
	m.play("end", "c")
	p.client("192.0.2.1").play("mail good good good rset", "c c c c") // no message
	for range 4 {
		again()
	}
	p.client("192.0.2.1").play("mail bad", "c 421") // 5 of 10
	line := p.book.await(t, "BADRCPTS")
	if want := "bad=1/- total=5/3 per=1h good=0 total_good=5 left=1h"; !strings.Contains(line,
		want) {
		t.Errorf("%s; want %s", line, want)
	}
	for range 2 {
		p.client("192.0.3.1").play("mail bad", "c c")
	}
	p.client("192.0.3.1").play("mail bad", "c 421") // no good one follows: the usual limit
}

// After the limit the MTA reads nothing more from its client, and what it writes still arrives.
func TestDeaf(t *testing.T) {
	c := cutting(t, "")
	_, err := c.a.client.Write([]byte("NOOP before\r\n"))
	mustDo(t, err)
	c.play("bad bad bad", "c c 421")
	_, err = c.a.client.Write([]byte("NOOP after\r\n"))
	mustDo(t, err)
	_, err = c.a.server.WriteString("550 no\r\n")
	mustDo(t, err)
	var b [100]byte
	_ = c.a.client.SetReadDeadline(time.Now().Add(lab.Patience))
	if n, err := c.a.client.Read(b[:]); err != nil || string(b[:n]) != "550 no\r\n" {
		t.Errorf("the client reads %q, %v", b[:n], err)
	}
	// The client has our bytes, so the kernel has what came with its acknowledgement.
	if n, err := c.a.server.Read(b[:]); err != io.EOF {
		t.Errorf("the MTA reads %q, %v", b[:n], err)
	}
	if !(arrival{c.second.client, c.second.server, c.second.from}).open() {
		t.Error("another client is cut off")
	}
}
