package guard

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// A session of this machine itself that guesses is ended, but no block begins, and its guesses do
// not count for the next session. The same holds for a neighbour in a network that contains an
// address of this machine.
func TestOwnNetwork(t *testing.T) {
	for _, tt := range []struct {
		conf, client string
		own          bool
	}{
		{"", "127.0.0.1", true},
		{"", "::1", true},
		{"count_by 24 64", "127.0.0.77", true},
		{"", "127.0.0.77", false},
		{"", "203.0.113.77", false},
	} {
		p := stand(t, "bad_rcpt_delay 0s\nbad_rcpts 3\nbad_rcpts_total 4/1h\n"+
			"block strikes=3 grace=60s\n"+tt.conf+"\n")
		p.client(tt.client).play("mail bad bad bad good", "c c c 421 421")
		line := p.book.await(t, "BADRCPTS", "["+tt.client+"]")
		if began := strings.Contains(line, " left="); began == tt.own {
			t.Errorf("%s %s: %s", tt.client, tt.conf, line)
		}
		if tt.own {
			p.client(tt.client).play("mail good bad bad good end", "c c c c c c")
			p.client(tt.client).play("mail bad good end", "c c c c")
		}
		client := netip.MustParseAddr(tt.client)
		p.inOther(func(tx *ledger.Tx) {
			network := p.config.Load().Network(client)
			total := tx.BadRcpt(network, time.Hour).Bad
			_, blocked := tx.BlockOf(client, network)
			if want := map[bool]int{true: 1, false: 4}[tt.own]; blocked == tt.own || total != want {
				t.Errorf("%s %s: blocked %v, %d bad recipients; want %d", tt.client, tt.conf,
					blocked, total, want)
			}
		})
	}
}
