package ledger

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Of testdata/ledger-vN.gz: its boot, when its last writer was killed, and the processes of its
// sessions, which exist nowhere (see testdata/ledger-vN.go).
func olderBoot(version int) Boot { return Boot{'v', '0' + byte(version)} }

func olderNow() Moment {
	return Moment{Boot: 103 * time.Hour, Wall: time.Date(2026, 11, 1, 15, 0, 0, 0, time.UTC)}
}

const (
	olderAlonePID, olderAloneStart = 4_100_001, 0x5151515151515151
	olderRoomPID, olderRoomStart   = 4_100_002, 0x5252525252525252
)

// olderVersions are those whose files are carried over.
var olderVersions = []int{1, 2, 3, 4}

// olderVerdicts is how many verdicts files of that version count.
func olderVerdicts(version int) int {
	if version < withLookups {
		return 16
	}
	return Verdicts
}

// older is a ledger of an older version, as the code of that version has left it.
func older(t testing.TB, version int) []byte {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("testdata/ledger-v%d.gz", version))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	image, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// replaceProcess puts another pid and start time where a session of an older version has these.
func replaceProcess(t *testing.T, image []byte, pid uint32, start uint64,
	p Process) (replaced int) {
	t.Helper()
	var old, renewed [8]byte
	binary.NativeEndian.PutUint64(old[:], start)
	binary.NativeEndian.PutUint64(renewed[:], p.Start)
	for at := 0; at < len(image); at += 64 {
		slot := image[at : at+64] // pid first, start 8 bytes on
		if binary.NativeEndian.Uint32(slot) == pid && bytes.Equal(slot[8:16], old[:]) {
			binary.NativeEndian.PutUint32(slot, uint32(p.PID))
			copy(slot[8:16], renewed[:])
			replaced++
		}
	}
	return replaced
}

// openOlder opens a file of these bytes with that number of clients, in its own boot or another.
func openOlder(t *testing.T, image []byte, clients int, boot Boot) (*Ledger, []string) {
	t.Helper()
	path := filepath.Join(ownDir(t), "ledger")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	l, notes, err := openBy(path, clients, boot, olderNow)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(l) })
	checkDirectory(t, path, "ledger")
	return l, notes
}

// checkOlder compares a ledger that was carried over with what the older version had in it, that
// long after its last operation.
func checkOlder(t *testing.T, version int, l *Ledger, after time.Duration) {
	t.Helper()
	must := func(work func(*Tx)) { t.Helper(); mustAt(t, l, olderNow().After(after), work) }
	stands := func(client string, bits int) (s Standing) {
		addr := netip.MustParseAddr(client)
		n, _ := addr.Prefix(bits)
		var rcpts Rcpts
		must(func(tx *Tx) {
			s = tx.Look(Arrival{
				Client: netip.AddrPortFrom(addr, 25), Network: n,
				Limits: Limits{Rate: 10, Per: time.Hour, HangupsPer: time.Hour},
			})
			rcpts = tx.Rcpts(n, time.Hour)
		})
		bad := 0
		if version > 1 && client == "192.0.2.2" {
			bad = 4
		}
		good := 0
		if client == "192.0.2.7" {
			good = 2
		}
		if rcpts != (Rcpts{Bad: bad, Good: good}) {
			t.Errorf("%v has the recipients %+v; want %d bad ones, %d good", client, rcpts, bad,
				good)
		}
		return s
	}
	for _, want := range []struct {
		client, network, reason string
		bits                    int
		left                    time.Duration
	}{
		{"192.0.2.3", "192.0.2.3/32", "pregreet", 32, 30 * time.Minute},
		{"198.51.100.77", "198.51.100.0/24", "admin", 32, MaxBlock},
		{"2001:db8:1:2:3::4", "2001:db8:1:2::/64", "spamtrap", 64, 48 * time.Hour},
	} {
		s := stands(want.client, want.bits)
		if !s.Blocked || s.BlockLeft != want.left-after || s.Reason != want.reason ||
			s.Network.String() != want.network {
			t.Errorf("%s: %+v; want %v of the block on %s", want.client, s, want.left-after,
				want.network)
		}
	}
	for n := range 300 {
		if s := stands(fmt.Sprintf("10.1.%d.%d", n>>8, n&255), 32); !s.Known {
			t.Fatalf("client %d is not known any more", n)
		}
	}
	if s := stands("192.0.2.2", 32); s.Strikes != 2 || s.Blocked {
		t.Errorf("%+v; want two strikes", s)
	}
	if s := stands("192.0.2.4", 32); s.Arrivals != 7 || s.Conns != 0 {
		t.Errorf("%+v; want 7 arrivals", s)
	}
	must(func(tx *Tx) {
		n := tx.Totals()
		for i, got := range n.Verdicts {
			want := uint64(i + 1)
			if i >= olderVerdicts(version) {
				want = 0
			}
			if got != want {
				t.Errorf("verdict %d was counted %d times; want %d", i, got, want)
			}
		}
		if n.Spoke[13] != 1 || n.Left[121] != 1 {
			t.Errorf("%d spoke after 1.3 s, %d left after 31 s; want one of each", n.Spoke[13],
				n.Left[121])
		}
	})
	checkOlderCounts(t, version, l, stands)
	blocks, err := l.Blocks(olderNow().After(after))
	if err != nil || len(blocks) != 3 {
		t.Fatalf("%v, %v; want 3 blocks", blocks, err)
	}
	for _, b := range blocks {
		if b.Network.String() == "192.0.2.3/32" && (b.Times != 2 || b.Age != 90*time.Minute+after) {
			t.Errorf("%+v; want the second of its network, 1h30m old", b)
		}
	}
	must(func(tx *Tx) {
		if err := audit(l); err != nil {
			t.Error(err)
		}
	})
}

// Everything in a ledger of an older version is in the one that replaces it, whatever its size, and
// what a killed process had half done there is undone.
func TestHonestOlder(t *testing.T) {
	for _, version := range olderVersions {
		checkCarriedOver(t, version, MinClients, "")
		checkCarriedOver(t, version, 16384, "rebuilt for clients=16384")
	}
}

func checkCarriedOver(t *testing.T, version, clients int, also string) {
	t.Helper()
	{
		l, notes := openOlder(t, older(t, version), clients, olderBoot(version))
		want := []string{fmt.Sprint("carried over from version ", version)}
		if also != "" {
			want = append(want, also)
		}
		for i := range want {
			want[i] = l.path + ": " + want[i]
		}
		if strings.Join(notes, "\n") != strings.Join(want, "\n") {
			t.Errorf("notes: %q; want %q", notes, want)
		}
		_, since, _ := l.BlocksSince(0)
		if since == 0 {
			t.Error("no number to begin with")
		}
		if _, _, all := l.BlocksSince(17); !all {
			t.Error("a watcher from before does not look at all blocks")
		}
		checkOlder(t, version, l, 0)
		checkOlder(t, version, l, time.Minute)
		again, notes, err := Open(l.path, clients, olderBoot(version))
		if err != nil || len(notes) > 0 {
			t.Fatalf("opened again: %v, %q", err, notes)
		}
		checkOlder(t, version, again, 2*time.Minute)
		mustAt(t, l, olderNow().After(2*time.Minute), func(tx *Tx) {
			tx.Block(netip.MustParsePrefix("192.0.2.9/32"), time.Hour, "test", Penalty{})
			if n := tx.BadRcpt(netip.MustParsePrefix("192.0.2.4/32"), time.Hour).Bad; n != 1 {
				t.Errorf("the first bad recipient is number %d", n)
			}
		})
		if networks, _, all := again.BlocksSince(since); len(networks) != 1 || all {
			t.Errorf("%v have begun, %v; want one", networks, all)
		}
		dropped, err := again.Trim(olderNow().After(3*time.Minute), 2)
		if err != nil || len(dropped) != 2 {
			t.Errorf("of four blocks %v were ended, %v; want two", dropped, err)
		}
		shut(again)
	}
}

// The structs fill the places that they are meant for.
func TestHonestLayout(t *testing.T) {
	for what, size := range map[string][2]int{
		"record":      {len(bytesOf(&client{})), recordSize},
		"version 2's": {len(bytesOf(&record2{})), recordSize},
		"version 4's": {len(bytesOf(&record4{})), recordSize},
		"slot":        {len(bytesOf(&session{})), slotSize},
		"undo":        {len(bytesOf(&undo{})), undoHead},
		"ring":        {len(bytesOf(&ring{})), ringHead + ringSize*memberSize},
		"ring member": {len(bytesOf(&ringMember{})), memberSize},
		"list":        {len(bytesOf(&list{})), listSize},
		"lookup":      {len(bytesOf(&lookup{})), lookupSize},
	} {
		if size[0] != size[1] {
			t.Errorf("%s: %d bytes; want %d", what, size[0], size[1])
		}
	}
	for what, end := range map[string][2]int{
		"header":   {len(bytesOf(&header{})), totalsAt},
		"totals":   {totalsAt + len(bytesOf(&totals{})), stateAt},
		"state":    {stateAt + len(bytesOf(&state{})), undoAt},
		"ring":     {ringAt + len(bytesOf(&ring{})), lateAt},
		"late":     {lateAt + len(bytesOf(&late{})), unlockedAt},
		"totals 3": {totals3At + len(bytesOf(&totals3{})), unlockedAt},
		"unlocked": {unlockedAt + len(bytesOf(&unlocked{})), bitmapAt},
	} {
		if end[0] > end[1] {
			t.Errorf("%s ends at %d; want %d at most", what, end[0], end[1])
		}
	}
}
