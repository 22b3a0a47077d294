package ledger

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// checkUntouched fails the test unless the file, and nothing else, is where it was.
func checkUntouched(t *testing.T, path string, image []byte) {
	t.Helper()
	if is, err := os.ReadFile(path); err != nil || !bytes.Equal(withoutBell(is), image) {
		t.Errorf("the file was touched: %v", err)
	}
	checkDirectory(t, path, "ledger")
}

// A ledger of a newer version is neither used nor set aside, whatever else is in it: the newer
// program may come back.
func TestHonestNewer(t *testing.T) {
	image := template(t)
	const next = version + 1
	unsigned := bytes.Clone(image)
	view[header](unsigned, 0).version = next
	for name, image := range map[string][]byte{
		"of the next version": withHeader(image, func(h *header) { h.version = next }),
		"of one after and a size": withHeader(image,
			func(h *header) { h.version, h.buckets = next+1, 1<<20 }),
		"of other records": withHeader(image,
			func(h *header) { h.version, h.record = next, 512 }),
		"with another header":       unsigned,
		"shorter than ours":         withHeader(image, func(h *header) { h.version = next })[:page],
		"of the last version there": withHeader(image, func(h *header) { h.version = 1<<32 - 1 }),
	} {
		for _, clients := range []int{MinClients, 4096} {
			path := filepath.Join(ownDir(t), "ledger")
			if err := os.WriteFile(path, image, 0o600); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("%s: is a ledger of version %d; this program writes %d; install "+
				"the newer sendwrap again, or move the file away to start a new ledger",
				path, view[header](image, 0).version, version)
			for range 2 {
				if _, notes, err := Open(path, clients, ThisBoot()); err == nil ||
					err.Error() != want || notes != nil {
					t.Errorf("%s: %v, %q; want %s", name, err, notes, want)
				}
			}
			checkUntouched(t, path, image)
		}
	}
}

// Nor is one that appears in place of ours just when we would build.
func TestHonestNewerMeanwhile(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	image := withHeader(template(t), func(h *header) { h.version = version + 1 })
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	if _, _, err := build(dir, path, geometryFor(MinClients), ThisBoot(), Now); err == nil ||
		!strings.Contains(err.Error(), fmt.Sprintf("is a ledger of version %d; this program "+
			"writes %d", version+1, version)) {
		t.Errorf("built beside it: %v", err)
	}
	checkUntouched(t, path, image)
}
