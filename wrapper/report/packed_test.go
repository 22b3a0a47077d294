package report

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// allocated is what memory work has taken in all, in bytes.
func allocated(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A small file that unpacks to 1 GB of zeros takes no more memory than another.
func TestBombs(t *testing.T) {
	const part, parts = 16 << 20, 64
	zeros := make([]byte, part)
	good := clock + " mx sendwrap[1]: " + pass + "\n"
	last := packed(t, []byte("\n"+good))
	for name, one := range packed(t, zeros) {
		bomb := append(bytes.Repeat(one, parts), last[name]...)
		log := put(t, filepath.Join(t.TempDir(), "mail.log"), bomb, weekEnd)
		var r *Report
		began := time.Now()
		took := allocated(func() { r = readLogs(t, log) })
		t.Logf("%s: %d bytes in, %d allocated, %v", name, len(bomb), took, time.Since(began))
		if r.Unreadable.TooLong != 1 || r.Served != 1 || len(r.Unreadable.Files) != 0 {
			t.Errorf("%s: %d served, %+v", name, r.Served, r.Unreadable)
		}
		if took > 64<<20 {
			t.Errorf("%s: %d bytes were allocated", name, took)
		}
	}
}

// greedy are tiny logs that ask for gigabytes to be unpacked.
func greedy(t *testing.T) map[string][]byte {
	xz := packed(t, []byte(clock+" mx sendwrap[1]: "+pass+"\n"))["xz"]
	block := xz[12:]                                       // behind the header of the stream
	size := (int(block[0]) + 1) * 4                        // of the header of the block
	if at := bytes.Index(block, []byte{0x21, 1}); at > 0 { // LZMA2, and its dictionary's size
		block[at+2] = 40 // 4 GB
	} else {
		t.Fatal("no LZMA2")
	}
	binary.LittleEndian.PutUint32(block[size-4:], crc32.ChecksumIEEE(block[:size-4]))
	return map[string][]byte{
		"xz": xz,
		// RFC 8878 §3.1.1: magic, a frame with a window of 2 GB, one raw block, which is the last.
		"zst": []byte("\x28\xb5\x2f\xfd\x00\xa8\x09\x00\x00x"),
	}
}

// The rest is read, and it is said once what is not.
func TestGreedy(t *testing.T) {
	dir := t.TempDir()
	log := put(t, filepath.Join(dir, "good"), []byte(clock+" mx sendwrap[1]: "+pass+"\n"), weekEnd)
	for name, text := range greedy(t) {
		asks := put(t, filepath.Join(dir, name), text, weekEnd)
		var r *Report
		took := allocated(func() { r = readLogs(t, log, asks) })
		said := strings.Join(strings.Fields(textOf(t, r)), " ") // it is folded
		if r.Served != 1 || strings.Count(said, "not read: ") != 1 ||
			!strings.Contains(said, asks+": unpacking it takes too much memory; unpack it, ") {
			t.Errorf("%s:\n%s", name, said)
		}
		if took > 64<<20 {
			t.Errorf("%s: %d bytes were allocated", name, took)
		}
	}
}
