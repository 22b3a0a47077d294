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

	"golang.org/x/sys/unix"
)

// Of testdata/ledger-v1.gz: its boot, when its last writer was killed, and in whose name its sessions are, which
// are no processes anywhere (see testdata/ledger-v1.go).
var v1Boot = Boot{'v', '1'}

func v1Now() Moment {
	return Moment{Boot: 103 * time.Hour, Wall: time.Date(2026, 11, 1, 15, 0, 0, 0, time.UTC)}
}

const (
	v1AlonePID, v1AloneStart = 4_100_001, 0x5151515151515151
	v1RoomPID, v1RoomStart   = 4_100_002, 0x5252525252525252
)

// version1 is a ledger of version 1, as the code of that version has left it.
func version1(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("testdata/ledger-v1.gz")
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

// replaceProcess puts another pid and start time where a session of version 1 has these.
func replaceProcess(t *testing.T, image []byte, pid uint32, start uint64, p Process) (replaced int) {
	t.Helper()
	var was, is [8]byte
	binary.NativeEndian.PutUint64(was[:], start)
	binary.NativeEndian.PutUint64(is[:], p.Start)
	for at := 0; at < len(image); at += 64 {
		slot := image[at : at+64] // pid first, start 8 bytes on
		if binary.NativeEndian.Uint32(slot) == pid && bytes.Equal(slot[8:16], was[:]) {
			binary.NativeEndian.PutUint32(slot, uint32(p.PID))
			copy(slot[8:16], is[:])
			replaced++
		}
	}
	return replaced
}

// openVersion1 opens a file of these bytes with so much room, in the boot of version 1 or another.
func openVersion1(t *testing.T, image []byte, clients int, boot Boot) (*Ledger, []string) {
	t.Helper()
	path := filepath.Join(ownDir(t), "ledger")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	l, notes, err := openBy(path, clients, boot, v1Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(l) })
	checkDirectory(t, path, "ledger")
	return l, notes
}

// checkVersion1 holds a ledger carried over against what version 1 had in it, so long after its last work.
func checkVersion1(t *testing.T, l *Ledger, after time.Duration) {
	t.Helper()
	must := func(work func(*Tx)) { t.Helper(); mustAt(t, l, v1Now().After(after), work) }
	stands := func(client string, bits int) (s Standing) {
		addr := netip.MustParseAddr(client)
		n, _ := addr.Prefix(bits)
		must(func(tx *Tx) {
			s = tx.Look(Arrival{Client: netip.AddrPortFrom(addr, 25), Network: n, Limits: Limits{Rate: 10, Per: time.Hour, BadPer: time.Hour}})
		})
		if s.BadRcpts != 0 {
			t.Errorf("%v has %d bad recipients, of which version 1 knew nothing", client, s.BadRcpts)
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
		if !s.Blocked || s.BlockLeft != want.left-after || s.Reason != want.reason || s.Network.String() != want.network {
			t.Errorf("%s: %+v; want %v of the block on %s", want.client, s, want.left-after, want.network)
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
			if got != uint64(i+1) {
				t.Errorf("verdict %d was counted %d times; want %d", i, got, i+1)
			}
		}
		if n.Spoke[13] != 1 || n.Left[121] != 1 {
			t.Errorf("%d spoke after 1.3 s, %d left after 31 s; want one of each", n.Spoke[13], n.Left[121])
		}
	})
	blocks, err := l.Blocks(v1Now().After(after))
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

// All that a ledger of version 1 knew is in the one of version 2 that takes its place, whatever its size, and what a process
// killed at work had half done in version 1 is undone.
func TestHonestVersion1(t *testing.T) {
	for clients, also := range map[int]string{MinClients: "", 16384: "rebuilt for clients=16384"} {
		l, notes := openVersion1(t, version1(t), clients, v1Boot)
		want := []string{"carried over from version 1"}
		if also != "" {
			want = append(want, also)
		}
		for i := range want {
			want[i] = l.path + ": " + want[i]
		}
		if strings.Join(notes, "\n") != strings.Join(want, "\n") {
			t.Errorf("notes: %q; want %q", notes, want)
		}
		_, since, _ := l.Begun(0)
		if since == 0 {
			t.Error("no number to begin with")
		}
		if _, _, all := l.Begun(17); !all {
			t.Error("whatever was watched before is not told to look anew")
		}
		checkVersion1(t, l, 0)
		checkVersion1(t, l, time.Minute)
		again, notes, err := Open(l.path, clients, v1Boot)
		if err != nil || len(notes) > 0 {
			t.Fatalf("opened again: %v, %q", err, notes)
		}
		checkVersion1(t, again, 2*time.Minute)
		mustAt(t, l, v1Now().After(2*time.Minute), func(tx *Tx) {
			tx.Block(netip.MustParsePrefix("192.0.2.9/32"), time.Hour, "test", Penalty{})
			if n := tx.BadRcpt(netip.MustParsePrefix("192.0.2.4/32"), time.Hour); n != 1 {
				t.Errorf("the first bad recipient is number %d", n)
			}
		})
		if networks, _, all := again.Begun(since); len(networks) != 1 || all {
			t.Errorf("%v have begun, %v; want one", networks, all)
		}
		dropped, err := again.Trim(v1Now().After(3*time.Minute), 2)
		if err != nil || len(dropped) != 2 {
			t.Errorf("of four blocks %v were ended, %v; want two", dropped, err)
		}
		shut(again)
	}
}

// Sessions of version 1 go on where their processes live; those of a boot before do not.
func TestHonestVersion1Sessions(t *testing.T) {
	image := version1(t)
	if n := replaceProcess(t, image, v1AlonePID, v1AloneStart, Self()); n < 2 {
		t.Fatalf("%d slots replaced; want two in use at least", n)
	}
	replaceProcess(t, image, v1RoomPID, v1RoomStart, Self())
	for _, tt := range []struct {
		boot             Boot
		waiting, serving int
	}{{v1Boot, 2, 1}, {bootN(2), 0, 0}} {
		l, _ := openVersion1(t, image, MinClients, tt.boot)
		now := v1Now().After(time.Minute)
		if tt.boot != v1Boot {
			now.Boot = 20 * time.Second
		}
		mustAt(t, l, now, func(tx *Tx) {
			if n := tx.Totals(); n.Waiting != tt.waiting || n.Serving != tt.serving {
				t.Errorf("boot %q: %d wait, %d are served; want %d, %d", tt.boot[:2], n.Waiting, n.Serving, tt.waiting, tt.serving)
			}
			for _, s := range tx.Sessions() {
				if s.Age != time.Minute || s.Process.PID != os.Getpid() || s.Process.Shared != (s.Client.Addr().String() == "192.0.2.6") {
					t.Errorf("%+v", s)
				}
			}
			if s := tx.Look(Arrival{Client: netip.MustParseAddrPort("192.0.2.3:25"), Network: netip.MustParsePrefix("192.0.2.3/32")}); s.BlockLeft != 29*time.Minute {
				t.Errorf("boot %q: the block has %v left", tt.boot[:2], s.BlockLeft)
			}
		})
	}
}

// One of version 1 that cannot be read now stays as it is until it can.
func TestHonestVersion1Held(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	image := version1(t)
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = openBy(path, MinClients, v1Boot, v1Now)
	if err == nil {
		t.Error("opened while another has the lock")
	}
	checkUntouched(t, path, image)
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	l, _, err := openBy(path, MinClients, v1Boot, v1Now)
	if err != nil {
		t.Fatal(err)
	}
	checkVersion1(t, l, 0)
	shut(l)
}

// checkUntouched fails the test unless the file, and nothing else, is where it was.
func checkUntouched(t *testing.T, path string, image []byte) {
	t.Helper()
	if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, image) {
		t.Errorf("the file was touched: %v", err)
	}
	checkDirectory(t, path, "ledger")
}

// A ledger of a newer version is neither used nor set aside, whatever else is in it: who made it may come back.
func TestHonestNewer(t *testing.T) {
	image := template(t)
	unsigned := bytes.Clone(image)
	view[header](unsigned, 0).version = 3
	for name, image := range map[string][]byte{
		"of version 3":              withHeader(image, func(h *header) { h.version = 3 }),
		"of version 4 and a size":   withHeader(image, func(h *header) { h.version, h.buckets = 4, 1<<20 }),
		"of other records":          withHeader(image, func(h *header) { h.version, h.record = 3, 512 }),
		"with another header":       unsigned,
		"shorter than ours":         withHeader(image, func(h *header) { h.version = 3 })[:page],
		"of the last version there": withHeader(image, func(h *header) { h.version = 1<<32 - 1 }),
	} {
		for _, clients := range []int{MinClients, 4096} {
			path := filepath.Join(ownDir(t), "ledger")
			if err := os.WriteFile(path, image, 0o600); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("%s: is a ledger of version %d; this program writes 2; install the newer sendwrap again, or move the file away and begin anew",
				path, view[header](image, 0).version)
			for range 2 {
				if _, notes, err := Open(path, clients, ThisBoot()); err == nil || err.Error() != want || notes != nil {
					t.Errorf("%s: %v, %q; want %s", name, err, notes, want)
				}
			}
			checkUntouched(t, path, image)
		}
	}
}

// Nor is one that takes the place of ours just when we would build: whoever else is quicker.
func TestHonestNewerMeanwhile(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	image := withHeader(template(t), func(h *header) { h.version = 3 })
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	if _, _, err := build(dir, path, geometryFor(MinClients), ThisBoot(), Now); err == nil || !strings.Contains(err.Error(), "is a ledger of version 3; this program writes 2") {
		t.Errorf("built beside it: %v", err)
	}
	checkUntouched(t, path, image)
}

// The structs fill the places they are meant for.
func TestHonestLayout(t *testing.T) {
	for what, size := range map[string][2]int{
		"record":      {len(bytesOf(&client{})), recordSize},
		"slot":        {len(bytesOf(&session{})), slotSize},
		"undo":        {len(bytesOf(&undo{})), undoHead},
		"ring":        {len(bytesOf(&ring{})), ringHead + ringSize*memberSize},
		"ring member": {len(bytesOf(&ringMember{})), memberSize},
	} {
		if size[0] != size[1] {
			t.Errorf("%s: %d bytes; want %d", what, size[0], size[1])
		}
	}
	for what, end := range map[string][2]int{
		"header": {len(bytesOf(&header{})), stateAt},
		"state":  {stateAt + len(bytesOf(&state{})), ringAt},
		"ring":   {ringAt + len(bytesOf(&ring{})), undoAt},
		"totals": {totalsAt + len(bytesOf(&totals{})), bitmapAt},
	} {
		if end[0] > end[1] {
			t.Errorf("%s ends at %d; want %d at most", what, end[0], end[1])
		}
	}
}
