package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// interesting is where a file may end: on both sides of each border.
func interesting() []int {
	g := geometryFor(MinClients)
	var all []int
	for _, border := range []int{8, 12, headerFixed, headerFixed + 8, headerFixed + 48, stateAt,
		totalsAt, undoAt, undoAt + undoHead, ringAt, lateAt, bitmapAt,
		g.slotsAt(), g.slotsAt() + page, g.bucketsAt(), g.bucketsAt() + page, g.listsAt(),
		g.lookupsAt(), g.lookupsAt() + page, g.size() - page,
		g.size()} {
		all = append(all, border-1, border, border+1)
	}
	return append([]int{0, 1, g.size() + page, 2 * g.size()}, all...)
}

// withHeader is a ledger's file with a changed header and the right checksum.
func withHeader(image []byte, change func(h *header)) []byte {
	image = bytes.Clone(image)
	h := view[header](image, 0)
	change(h)
	h.checksum = checksum(h)
	return image
}

// A file that is not a ledger of this version is set aside, whole, and a new one made. The note
// says why.
func TestHonestFiles(t *testing.T) {
	image := template(t)
	noise := make([]byte, 2*len(image))
	rnd := rand.New(rand.NewPCG(1, 2))
	for at := 0; at < len(noise); at += 8 {
		binary.NativeEndian.PutUint64(noise[at:], rnd.Uint64())
	}
	type file struct {
		name  string
		bytes []byte
		why   string
	}
	files := []file{
		{"text", []byte("not a ledger\n"), "is not a ledger"},
		{"a version that never was", withHeader(image, func(h *header) { h.version = 0 }),
			"is a ledger of version 0; this program reads 1 to 5"},
		{"records of another size", withHeader(image, func(h *header) { h.record = 128 }),
			"has records of 128 bytes; want 256"},
		{"version 1 and a damaged header", withHeader(image,
			func(h *header) { h.version, h.slots = 1, 1 }), "has a damaged header"},
		{"another magic", withHeader(image, func(h *header) { h.magic[7] = 'x' }),
			"is not a ledger"},
		{"no buckets", withHeader(image, func(h *header) { h.buckets = 0 }),
			"has a damaged header"},
		{"too many buckets", withHeader(image, func(h *header) { h.buckets = 1 << 31 }),
			"has a damaged header"},
		{"no slots", withHeader(image, func(h *header) { h.slots = 0 }), "has a damaged header"},
		{"too many slots", withHeader(image, func(h *header) { h.slots = 1 << 31 }),
			"has a damaged header"},
		{"odd slots", withHeader(image, func(h *header) { h.slots++ }), "has a damaged header"},
		{"more buckets than bytes", withHeader(image, func(h *header) { h.buckets++ }),
			"bytes long; want"},
		{"fewer buckets than bytes", withHeader(image, func(h *header) { h.slots *= 2 }),
			"bytes long; want"},
	}
	for at := range headerFixed {
		if 8 <= at && at < 12 {
			continue // that is the version; a newer one is left alone
		}
		damaged := bytes.Clone(image)
		damaged[at] ^= 0x10
		files = append(files, file{fmt.Sprintf("byte %d of the header changed", at), damaged, ""})
	}
	for _, n := range interesting() {
		if n != len(image) {
			files = append(files, file{fmt.Sprintf("%d bytes of a ledger", n),
				append(bytes.Clone(image), noise...)[:n], ""})
		}
		files = append(files, file{fmt.Sprintf("%d bytes of noise", n), noise[:min(n, len(noise))],
			"is not a ledger"})
	}
	for _, f := range files {
		t.Run(f.name, func(t *testing.T) { checkSetAside(t, f.bytes, f.why) })
	}
}

// checkSetAside opens a ledger where there is such a file.
func checkSetAside(t *testing.T, content []byte, why string) {
	path := filepath.Join(ownDir(t), "ledger")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	l, notes := mustOpen(t, path, MinClients)
	if len(notes) != 1 || !strings.HasPrefix(notes[0], path+": ") ||
		!strings.Contains(notes[0], why) ||
		!strings.HasSuffix(notes[0], "; set aside as "+path+".bad, and a new ledger made") {
		t.Errorf("notes: %q; want one that says %q", notes, why)
	}
	aside, err := os.ReadFile(path + ".bad")
	if err != nil || !bytes.Equal(aside, content) {
		t.Errorf("what was set aside is not what was there: %v", err)
	}
	must(t, l, func(tx *Tx) {
		tx.Enter(from(hostN(1)), Self())
		if n := tx.Totals(); n.Clients != 1 || n.Waiting != 1 {
			t.Errorf("the new ledger: %d clients, %d waiting", n.Clients, n.Waiting)
		}
	})
	mustAudit(t, l)
	if _, notes := mustOpen(t, path, MinClients); len(notes) > 0 {
		t.Errorf("opened again: %q", notes)
	}
	checkDirectory(t, path, "ledger", "ledger.bad")
}

// checkDirectory fails the test if the ledger's directory holds anything but the names.
func checkDirectory(t testing.TB, path string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("the directory holds %q; want %q", names, want)
	}
}

// A second bad file replaces the first: a ledger that goes bad each day fills no disk.
func TestHonestSetAsideOnce(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	for _, text := range []string{"first", "second"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, path, MinClients)
		if got, err := os.ReadFile(path + ".bad"); err != nil || string(got) != text {
			t.Errorf("set aside: %q, %v; want %q", got, err, text)
		}
	}
	checkDirectory(t, path, "ledger", "ledger.bad")
}
