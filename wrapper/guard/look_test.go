package guard

import (
	"net/netip"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// idling is a session that has begun a transaction.
func idling(t *testing.T) (p *post, a arrival) {
	t.Helper()
	p = stand(t, rules+"block strikes=3 grace=60s\n")
	a = arrive(t, "tcp4", "127.0.0.1:0", "127.0.0.1")
	m, _ := p.process(a)
	m.negotiate().connect(a.from.Addr().String(), a.from.Port())
	m.play("mail", "c")
	return p, a
}

// findNewBlocks may see a guesser's block before the session that caused it carries it out. Other
// sessions without a message under way end at once nevertheless, and not after the grace.
func TestGuessersBlockIsSeen(t *testing.T) {
	const grace = 60 * time.Second
	p, a := idling(t)
	began := time.Now()
	p.inOther(func(tx *ledger.Tx) {
		tx.Block(netip.MustParsePrefix("127.0.0.0/24"), time.Hour, reasonBadRcpts, ledger.Penalty{})
	})
	_ = a.client.SetReadDeadline(began.Add(grace))
	if n, err := a.client.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the client reads %d bytes, %v; want it disconnected within the grace", n, err)
	}
}

// The session that caused the block is not ended that way: it must get its reply.
func TestGuesserGetsItsReply(t *testing.T) {
	p := stand(t, rules+"block strikes=3 grace=60s\n")
	p.client("192.0.2.1").play("mail bad bad", "c c c")
	s := p.session("192.0.2.1")
	s.facts.Bad++
	if block := s.countBad(); !block.began || !s.blocked.Load() {
		t.Errorf("%+v, known to the session: %v", block, s.blocked.Load())
	}
}
