package report

import (
	"net/netip"
	"strings"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/loglines"
)

// These ends of an MTA are no trouble: SIGTERM, with which a block or an administrator ends it, and
// the status with which Exim and qmail-smtpd end after a client that left without QUIT.
const (
	signalByUs = "15"
	statusLeft = "1"
)

// addEvent counts a line of another word.
func (c *counter) addEvent(l *loglines.Line) {
	t := &c.r.Trouble
	switch l.Word {
	case "BLOCK":
		c.addBlock(l, netip.Prefix{})
	case "STRIKE":
		if l.Has("left") {
			c.addBlock(l, netip.Prefix{})
		}
	case "SENT":
		for word := range strings.SplitSeq(l.Get("observed"), ",") {
			if v, ok := loglines.VerdictOf(word); ok {
				c.verdicts[v].Sent++
			}
		}
	case "ENDED":
		if l.Get("signal") == signalByUs || l.Get("status") == statusLeft {
			return
		}
		t.Ended++
		if after, ok := l.Duration("after"); ok {
			c.sessions[lengthOf(after)]++
		}
	case "IDLE":
		t.Idle++
	case "DROP":
		t.Dropped += l.Int("blocks")
	case "ONBLOCK":
		t.OnBlock++
	}
}

// addBlock notes a new block: of the network in the line, or else of the client's.
func (c *counter) addBlock(l *loglines.Line, n netip.Prefix) {
	if named, ok := l.Network(); ok {
		n = named
	}
	d, ok := l.Duration("left")
	if !ok {
		d, ok = l.Duration("for")
	}
	if !ok || !n.IsValid() { // it was cut
		c.r.Unreadable.Garbled++
		return
	}
	c.r.Blocks.New++
	switch {
	case l.Word != "BLOCK":
	case l.Has("from"):
		c.r.Blocks.Elsewhere++
	default:
		c.r.Blocks.ByHand++
	}
	reason := l.Get("reason")
	if reason == "" && l.Word == decide.Pregreet.String() {
		reason = decide.ReasonPregreet + ":" + l.Get("kind")
	}
	c.blocks.add(Block{n.String(), l.Time, int(d.Seconds()), strings.Clone(reason),
		strings.Clone(l.Get("from"))})
}
