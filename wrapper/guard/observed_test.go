package guard

import (
	"testing"

	"sendwrap/tests/lab"
)

// A message after observed refusals has one line that names them, at once or when the ledger is
// free; a further message has none.
func TestSent(t *testing.T) {
	const sent = "SENT client=[192.0.2.1]:40000 network=192.0.2.1/32 observed="
	p := stand(t, "bad_rcpt_delay 0s\nmax_rcpts 1 observe\nmax_resets 1 observe\n")
	m := p.client("192.0.2.1")
	m.play("mail good good end mail good end", "c c c c c c c")
	m.play("mail rset mail rset mail good", "c c c c")
	p.book.await(t, "RESETS client=[192.0.2.1]", "mode=observe")
	release := p.hold()
	m.play("end", "c")
	if lines := p.book.lines("SENT", "RESETS"); len(lines) > 0 {
		t.Errorf("logged before it is written: %q", lines)
	}
	release()
	p.book.await(t, sent+"RESETS queue=QUEUE1")
	lines := p.book.lines("SENT")
	if len(lines) != 2 || len(p.book.lines(sent+"MAXRCPTS queue=QUEUE1")) != 1 {
		t.Errorf("%q; want one line of MAXRCPTS and one of RESETS", lines)
	}
}

// However often a session goes beyond an observed limit, it has one line; the next has its own.
func TestObservedOnce(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\nmax_rcpts 1 observe\n")
	for n := range 2 {
		m := p.client("192.0.2.1")
		m.play("mail good good good end mail good good end", "c c c c c c c c c")
		lab.Eventually(t, "the session has a line", func() bool {
			return len(p.book.lines(": MAXRCPTS ", " mode=observe ")) > n
		})
	}
	if lines := p.book.lines(": MAXRCPTS "); len(lines) != 2 {
		t.Errorf("%q; want a line for each session", lines)
	}
}
