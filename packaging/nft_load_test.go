package packaging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// site is a machine with our sets and a sendwrap that fills them.
type site struct {
	machine
	conf string
}

func newSite(t *testing.T, lines ...string) site {
	t.Helper()
	return site{firewall(t), door(t, append(lines, "on_block "+absolute(t, "sendwrap-nft"))...)}
}

// try runs a command of sendwrap's.
func (s site) try(command string, args ...string) (string, error) {
	return s.run(append([]string{program(), command, "-f", s.conf}, args...)...)
}

func (s site) sendwrap(command string, args ...string) string {
	s.t.Helper()
	out, err := s.try(command, args...)
	if err != nil {
		s.t.Fatalf("%s %q: %v\n%s", command, args, err, out)
	}
	return out
}

// blocks are those of the ledger, and the seconds that are left of each.
func (s site) blocks() map[netip.Prefix]int {
	s.t.Helper()
	var list []struct {
		Network netip.Prefix
		Seconds int
	}
	if err := json.Unmarshal([]byte(s.sendwrap("blocks", "-json")), &list); err != nil {
		s.t.Fatal(err)
	}
	all := map[netip.Prefix]int{}
	for _, b := range list {
		all[b.Network] = b.Seconds
	}
	return all
}

// feed gives nft a script, and returns what it says.
func (s site) feed(script []byte, args ...string) (string, error) {
	cmd := exec.Command("nft", append(args, "-f", "-")...)
	var said strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(script), &said, &said
	var err error
	s.Do(func() { err = cmd.Start() })
	if err == nil {
		err = cmd.Wait()
	}
	return said.String(), err
}

// The script is one transaction: if it has been cut off anywhere, nft refuses it, and all stays as
// it was.
func TestFirewallScriptCutOff(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, n := range []string{"198.51.100.0/24", "203.0.113.9", "2001:db8::/64"} {
		s.sendwrap("block", n, "1h")
	}
	script := []byte(s.sendwrap("blocks", "-nft"))
	s.must("nft", "flush set inet sendwrap blocked4; flush set inet sendwrap blocked6")
	s.must("nft", "add element inet sendwrap blocked4 { 192.0.2.7 }")
	s.must("nft", "add element inet sendwrap blocked6 { 2001:db8:7::/64 }")
	before := s.must("nft", "list", "ruleset")
	for i := 1; i < len(script)-1; i++ { // without the last newline alone it is whole
		line := script[i-1] == '\n' || script[i] == '\n' // both are whole lines
		if !line && i%8 != 0 {
			continue // nft takes longer to start than to read it
		}
		args := []string{"-c"}
		if line {
			args = nil
		}
		if said, err := s.feed(script[:i], args...); err == nil {
			t.Errorf("cut off after %d bytes nft takes it:\n%s\n%s", i, script[:i], said)
		}
		if !line {
			continue
		}
		if after := s.must("nft", "list", "ruleset"); after != before {
			t.Fatalf("cut off after\n%s\nit has changed\n%s\nto\n%s", script[:i], before, after)
		}
	}
	if said, err := s.feed(script); err != nil {
		t.Fatalf("whole: %v, %s", err, said)
	}
	if n := len(s.elements("ipv4")) + len(s.elements("ipv6")); n != 3 {
		t.Errorf("whole it makes %d elements", n)
	}
	left := s.must("nft", "list chain inet sendwrap unfinished")
	if strings.Contains(left, "pkttype") {
		t.Errorf("left behind:\n%s", left)
	}
}

// shim is an nft that does something else before it feeds a script to the real one.
const shim = `#!/bin/sh
test "$1 $2" = '-f -' && test -e %[1]s || exec /usr/sbin/nft "$@"
rm %[1]s; cat >%[1]s.script; sh %[1]s.does && exec /usr/sbin/nft -f %[1]s.script
`

// Blocks that begin or end between the list and nft's work are right in the firewall afterwards.
// This test makes that moment; it is not parallel, since other tests would call its nft.
func TestFirewallLoadMeanwhile(t *testing.T) {
	s := newSite(t)
	at := filepath.Join(t.TempDir(), "now")
	place := filepath.Join(filepath.Dir(installed), "nft")
	write(t, place, fmt.Sprintf(shim, at), 0o755)
	defer os.Remove(place)
	for _, n := range []string{"198.51.100.1", "198.51.100.2", "198.51.100.3"} {
		s.sendwrap("block", n, "1h")
	}
	does := "set -e\n"
	for _, command := range []string{
		"block 203.0.113.1 1h", "block 2001:db8:1::1 1h", "unblock 198.51.100.2",
		"block 198.51.100.3 3h",
	} {
		does += program() + " " + strings.Replace(command, " ", " -f "+s.conf+" ", 1) + "\n"
	}
	write(t, at+".does", does, 0o644)
	write(t, at, "", 0o644)
	said := s.sendwrap("blocks", "-nft", "-load")
	if _, err := os.Stat(at); err == nil {
		t.Fatal("nft was not asked for")
	}
	if !strings.HasPrefix(said, "3 blocks put into the firewall's sets\n") ||
		!strings.Contains(said, "run for 4 blocks that began or ended meanwhile\n") {
		t.Errorf("it says\n%s", said)
	}
	s.agree()
	if left := s.elements("ipv4")[netip.MustParsePrefix("198.51.100.3/32")]; left < 2*3600 {
		t.Errorf("a block that was made longer meanwhile has %d s left", left)
	}
}

// A firewall that does not answer delays `check` for a moment, but not for ever. Not parallel,
// either.
func TestFirewallHangs(t *testing.T) {
	s := newSite(t)
	place := filepath.Join(filepath.Dir(installed), "nft")
	asked := filepath.Join(t.TempDir(), "asked")
	write(t, place, "#!/bin/sh\ntouch "+asked+"\nsleep 100000\n", 0o755)
	defer os.Remove(place)
	said := s.sendwrap("check", "192.0.2.1")
	if _, err := os.Stat(asked); err != nil ||
		!strings.Contains(said, "\nverdict: PASS after 6s\n") {
		t.Errorf("%v, check says\n%s", err, said)
	}
}

// agree compares the firewall's sets with the ledger.
func (s site) agree() {
	s.t.Helper()
	ledger, sets := s.blocks(), s.elements("ipv4")
	maps.Copy(sets, s.elements("ipv6"))
	for n := range ledger {
		if _, found := sets[n]; !found {
			s.t.Errorf("%v is blocked, and the firewall does not know it", n)
		}
	}
	for n := range sets {
		if _, found := ledger[n]; !found {
			s.t.Errorf("%v is not blocked, and the firewall drops it", n)
		}
	}
}

// The same under a stream of blocks that begin and end, while the sets are loaded again and again.
// Each client is blocked by one stream alone, so that every effect is logged before the next.
func TestFirewallLoadStream(t *testing.T) {
	t.Parallel()
	const streams, each = 3, 25
	s := newSite(t)
	for i := range 40 {
		s.sendwrap("block", fmt.Sprintf("198.51.100.%d", i), "2h")
	}
	var all sync.WaitGroup
	var running atomic.Int32
	running.Store(streams)
	for stream := range streams {
		all.Go(func() {
			defer running.Add(-1)
			for i := range each {
				for _, args := range [][]string{
					{"block", fmt.Sprintf("10.%d.%d.1", stream, i), "1h"},
					{"block", fmt.Sprintf("2001:db8:%d:%d::1", stream, i), "1h"},
					{"unblock", fmt.Sprintf("10.%d.%d.1", stream, i-2)},
				} {
					if args[0] == "unblock" && i < 2 {
						continue
					}
					if out, err := s.try(args[0], args[1:]...); err != nil {
						t.Errorf("%q: %v\n%s", args, err, out)
					}
				}
			}
		})
	}
	loads := 0
	for ; running.Load() > 0; loads++ {
		s.sendwrap("blocks", "-nft", "-load")
	}
	all.Wait()
	if want := 40 + streams*(each+2); len(s.blocks()) != want || loads < 2 {
		t.Errorf("%d loads, %d blocks; want %d", loads, len(s.blocks()), want)
	}
	s.agree()
}

// Without a ledger nothing is loaded, and the sets keep what they have.
func TestFirewallLoadNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.must("nft", "add element inet sendwrap blocked4 { 192.0.2.7 timeout 1h }")
	for _, args := range [][]string{{"-nft"}, {"-nft", "-load"}} {
		out, err := s.try("blocks", args...)
		if err == nil || !strings.Contains(out, "there is no ledger") {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
	if n := len(s.elements("ipv4")); n != 1 {
		t.Errorf("%d elements are left; want 1", n)
	}
}

// The end of a network of any width takes out all that lies in it.
func TestFirewallUnblockAll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, n := range []string{"198.51.100.0/24", "203.0.113.9", "10.0.0.0/8", "2001:db8::/64",
		"2001:db8:1::/48"} {
		s.sendwrap("block", n, "1h")
	}
	for family, network := range map[string]string{"ipv4": "0.0.0.0/0", "ipv6": "2000::/3"} {
		s.sendwrap("unblock", network)
		if left := s.elements(family); len(left) > 0 {
			t.Errorf("after unblock %s: %v", network, left)
		}
	}
}
