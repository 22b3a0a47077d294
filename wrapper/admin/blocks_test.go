package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// blocked begins blocks in the ledger.
func (p *place) blocked(network string, d time.Duration, reason string) {
	p.Helper()
	p.do(func(t *ledger.Tx) {
		penalty := ledger.Penalty{For: time.Hour, Max: 24 * time.Hour}
		if t.Block(netip.MustParsePrefix(network), d, reason, penalty) == 0 {
			p.Errorf("no room for %s", network)
		}
	})
}

func TestBlocks(t *testing.T) {
	p := inPlace(t, "")
	for _, tt := range []struct{ args, want string }{{"", "no blocks\n"}, {"-json", "[]\n"}} {
		if text, _ := p.says(0, strings.Fields("blocks "+tt.args)...); text != tt.want {
			t.Errorf("before the first client blocks %s says %q; want %q", tt.args, text, tt.want)
		}
	}
	began := time.Now()
	p.blocked("203.0.113.0/24", 90*time.Minute, "administrator")
	p.blocked("192.0.2.9/32", time.Hour, "pregreet")
	p.blocked("192.0.2.9/32", 2*time.Hour, "bad_rcpts")
	p.blocked("2001:db8:9:9::/64", 25*time.Hour, "x")
	text, _ := p.says(0, "blocks")
	const since = ` +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
	shows(t, text, `network            since                left +times  reason
192\.0\.2\.9/32      `+since+`  <2h> +1      bad_rcpts
203\.0\.113\.0/24    `+since+`  <90m> +1      administrator
2001:db8:9:9::/64 `+since+`  <25h> +1      x
`, began)
	text, _ = p.says(0, "blocks", "-json")
	var got []struct {
		Network string
		Seconds int
		Since   time.Time
		Times   int
		Reason  string
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	past := time.Since(began)
	if len(got) != 3 || got[0].Network != "192.0.2.9/32" || got[0].Times != 1 ||
		got[0].Reason != "bad_rcpts" ||
		got[0].Seconds > 7200 || got[0].Seconds < 7199-int(past.Seconds()) || // cut off
		time.Since(got[0].Since) > past+time.Second || time.Since(got[0].Since) < 0 {
		t.Errorf("after %v: got %+v", past, got)
	}
	p.says(100, "blocks", "-json", "-nft")
	p.says(100, "blocks", "-load")
	p.says(100, "blocks", "x")
}

// A command that only reads makes no ledger, and sets none aside, whatever is in its place. Without
// a ledger it does not tell a firewall that there are no blocks.
func TestLookingLeavesLedger(t *testing.T) {
	p := inPlace(t, "")
	p.blocked("203.0.113.0/24", time.Hour, "x")
	whole, err := os.ReadFile(p.ledger)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole)
	damaged[8] ^= 0xff
	other := strings.Replace(p.read(), "clients=1024", "clients=2048", 1)
	for _, tt := range []struct {
		name   string
		image  []byte // nil: there is none, nor a directory for it
		usable bool
	}{
		{"missing", nil, false}, {"empty", []byte{}, false},
		{"foreign", []byte("not a ledger\n"), false}, {"cut off", whole[:len(whole)-1], false},
		{"damaged", damaged, false}, {"whole", whole, true},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		path := filepath.Join(dir, "ledger")
		p.write(strings.Replace(other, p.ledger, path, 1)) // of another size than is wanted, too
		if tt.image != nil {
			err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(path, tt.image, 0o600))
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, args := range []string{
			"status", "status -json", "blocks", "blocks -json", "check 192.0.2.1", "check",
			"blocks -nft", "blocks -nft -load",
		} {
			if tt.usable && strings.Contains(args, "-load") {
				continue // which would reach the firewall of the machine
			}
			var out, errs bytes.Buffer
			words := strings.Fields(args)
			code := Run(append([]string{words[0], "-f", p.conf}, words[1:]...), ".", &out, &errs)
			switch nft := strings.Contains(args, "-nft"); {
			case nft && !tt.usable && (code != ExitTemporary || out.Len() > 0 || errs.Len() == 0):
				t.Errorf("%s: %s: exit code %d, says\n%s%s", tt.name, args, code, &out, &errs)
			case tt.usable && (code != ExitOK ||
				args == "blocks" && !strings.Contains(out.String(), "203.0.113.0/24")):
				t.Errorf("%s: %s: exit code %d, says\n%s%s", tt.name, args, code, &out, &errs)
			}
			entries, _ := os.ReadDir(dir)
			image, _ := os.ReadFile(path)
			if tt.image == nil && entries != nil || tt.image != nil && len(entries) != 1 ||
				!tt.usable && !bytes.Equal(image, tt.image) {
				t.Fatalf("%s: after %s there are %v, and %d bytes",
					tt.name, args, entries, len(image))
			}
		}
	}
}

// The script for the firewall has the blocks, and says which are left out.
func TestBlocksNFT(t *testing.T) {
	p := inPlace(t, "allow 198.51.100.7 192.0.2.128/25")
	began := time.Now()
	for _, n := range []string{
		"203.0.113.9/32", "198.51.100.0/24", "192.0.2.200/32", "127.0.0.1/32", "::/64",
		"2001:db8:9:9::/64",
	} {
		p.blocked(n, time.Hour, "x")
	}
	// A network that lasts longer within another, one that does not, and one within both.
	p.blocked("10.0.0.0/24", time.Hour, "x")
	p.blocked("10.0.0.0/26", 30*time.Minute, "x")
	p.blocked("10.0.0.128/25", 2*time.Hour, "x")
	p.blocked("10.0.0.200/32", 90*time.Minute, "x")
	text, _ := p.says(0, "blocks", "-nft")
	first, rest, _ := strings.Cut(text, "\n")
	head, rest, _ := strings.Cut(rest, "\n")
	rest = wholeTimeouts(rest, time.Since(began))
	if first != "add rule inet sendwrap unfinished meta pkttype set host" ||
		!strings.HasPrefix(head, "# The blocks of "+p.ledger+" at 20") {
		t.Errorf("the head is %s", head)
	}
	want := `flush set inet sendwrap blocked4
flush set inet sendwrap blocked6
# 127.0.0.1/32 is left out: it is loopback
# 192.0.2.200/32 is left out: 192.0.2.128/25 is allowed at CONF:3
# 198.51.100.0/24 is left out: it holds 198.51.100.7/32, which is allowed at CONF:3
# ::/64 is left out: it is loopback
add element inet sendwrap blocked4 { 10.0.0.0/25 timeout 3600s comment "10.0.0.0/24" }
add element inet sendwrap blocked4 { 10.0.0.128/25 timeout 7200s }
add element inet sendwrap blocked4 { 203.0.113.9/32 timeout 3600s }
add element inet sendwrap blocked6 { 2001:db8:9:9::/64 timeout 3600s }
flush chain inet sendwrap unfinished
`
	if want = strings.ReplaceAll(want, "CONF", p.conf); rest != want {
		t.Errorf("got\n%s\nwant\n%s", rest, want)
	}
	// If sendwrap enforces nothing, a firewall does not either.
	p.write(p.read() + "mode observe\n")
	text, _ = p.says(0, "blocks", "-nft")
	if strings.Contains(text, "add element") ||
		strings.Count(text, "is left out: mode observe") < 6 ||
		strings.Count(text, "\nflush set") != 2 {
		t.Errorf("with mode observe\n%s", text)
	}
}

// ledgerStep is more than the clocks of ledger and test differ by: the ledger's counts
// milliseconds.
const ledgerStep = 5 * time.Millisecond

var timeout = regexp.MustCompile(`timeout (\d+)s`)

// wholeTimeouts rounds each timeout up to half hours, by no more than has passed.
func wholeTimeouts(text string, past time.Duration) string {
	return timeout.ReplaceAllStringFunc(text, func(found string) string {
		const step = 1800
		seconds, _ := strconv.Atoi(timeout.FindStringSubmatch(found)[1])
		whole := (seconds + step - 1) / step * step
		if whole-seconds <= int((past + ledgerStep).Seconds()) {
			seconds = whole
		}
		return fmt.Sprintf("timeout %ds", seconds)
	})
}

// However blocks lie within one another, each address is in at most one element, for as long as its
// longest block.
func TestCover(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 6))
	element := regexp.MustCompile(`^add element inet sendwrap blocked4 ` +
		`\{ (\S+) timeout (\d+)s(?: comment "(\S+)")? \}$`)
	for range 150 {
		var all []ledger.BlockedNetwork
		seen := map[netip.Prefix]bool{}
		for range 1 + r.IntN(8) {
			addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(256))})
			n := netip.PrefixFrom(addr, 23+r.IntN(10)).Masked()
			if !seen[n] {
				seen[n] = true
				left := time.Duration(1+r.IntN(5)) * time.Hour
				all = append(all, ledger.BlockedNetwork{Network: n, Left: left})
			}
		}
		p := inPlace(t, "")
		began := time.Now()
		for _, b := range all {
			p.blocked(b.Network.String(), b.Left, "x")
		}
		text, _ := p.says(0, "blocks", "-nft")
		past := time.Since(began)
		covered := map[netip.Addr]time.Duration{}
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "add element") {
				continue
			}
			m := element.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil {
				t.Fatalf("line %q", line)
			}
			n, seconds := netip.MustParsePrefix(m[1]), 0
			seconds, _ = strconv.Atoi(m[2])
			owner := m[3]
			if owner == "" && !seen[n] || owner != "" && !seen[netip.MustParsePrefix(owner)] {
				t.Errorf("%s is nobody's", line)
			}
			for a := n.Addr(); n.Contains(a); a = a.Next() {
				if _, twice := covered[a]; twice {
					t.Fatalf("%v is covered twice\n%s", a, text)
				}
				covered[a] = time.Duration(seconds) * time.Second
			}
		}
		last := netip.MustParseAddr("10.0.2.0")
		for a := netip.MustParseAddr("10.0.0.0"); a.Less(last); a = a.Next() {
			var want time.Duration
			for _, b := range all {
				if b.Network.Contains(a) {
					want = max(want, b.Left)
				}
			}
			if got := covered[a]; got > want || want-got > past+ledgerStep {
				t.Fatalf("%v: %v; want %v of %v\n%s", a, got, want, all, text)
			}
		}
	}
}

// The script has all blocks, even with as many as max_entries allows.
func TestBlocksMany(t *testing.T) {
	p := inPlace(t, "")
	p.write(fmt.Sprintf("mta /bin/true\nledger %s clients=65536\n", p.ledger))
	l, _, err := ledger.Open(p.ledger, 65536, ledger.ThisBoot())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const many = 10000
	for i := range many {
		if err := l.Do(ledger.Now(), func(t *ledger.Tx) {
			addr := netip.AddrFrom4([4]byte{10, 7, byte(i / 256), byte(i)})
			t.Block(netip.PrefixFrom(addr, 32), time.Hour, "x", ledger.Penalty{Max: time.Hour})
		}); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := p.says(0, "blocks", "-nft")
	if n := strings.Count(text, "\nadd element"); n != many {
		t.Errorf("%d elements", n)
	}
}
