package ledger

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// A file with a valid header may have any contents. corrupt makes such a file of a populated ledger
// and any bytes: depending on the first byte everything is random, or some of the numbers are
// malicious.
func corrupt(image, data []byte) {
	if len(data) < 2 {
		return
	}
	if data[0] == 0 { // noise, with as many zeros among it as the second byte says
		var seed [32]byte
		copy(seed[:], data)
		rnd := rand.New(rand.NewChaCha8(seed))
		for at := headerFixed; at < len(image); at += 8 {
			if byte(rnd.Uint32()) >= data[1] {
				binary.NativeEndian.PutUint64(image[at:], rnd.Uint64())
			}
		}
		return
	}
	places := placesOf(image)
	for data = data[1:]; len(data) >= patchSize; data = data[patchSize:] {
		place := places[int(data[0])%len(places)]
		begin := place.at[int(data[1])%len(place.at)]
		if offset := begin + int(data[2])%place.size/4*4; offset+8 <= len(image) {
			binary.NativeEndian.PutUint64(image[offset:], malicious(data[3], data[4:patchSize]))
		}
	}
}

const (
	headerFixed = 48 // so much of the header never changes, its checksum included
	patchSize   = 12
)

// placesOf are the places in the file that are worth changing, those of a kind together.
func placesOf(image []byte) []struct {
	size int
	at   []int
} {
	geo := geometryFor(MinClients)
	var slots, records []int
	for i := range 40 {
		slots = append(slots, geo.slotsAt()+i*slotSize)
	}
	for at := geo.bucketsAt(); at < len(image); at += recordSize {
		if view[client](image, at).used == 1 {
			records = append(records, at)
		}
	}
	records = append(records, geo.bucketsAt())
	var lists, lookups []int
	for i := range MaxLists {
		lists = append(lists, geo.listsAt()+i*listSize)
	}
	for at := geo.lookupsAt(); at+lookupSize <= len(image); at += lookupSize {
		if view[lookup](image, at).state != NotAsked {
			lookups = append(lookups, at)
		}
	}
	lookups = append(lookups, geo.lookupsAt())
	return []struct {
		size int
		at   []int
	}{
		{64, []int{headerFixed}},
		{80, []int{stateAt}},
		{8, []int{undoAt}}, {ringHead, []int{ringAt}},
		{memberSize, []int{ringAt + ringHead, ringAt + ringHead + memberSize,
			ringAt + ringHead + 5*memberSize}},
		{16, []int{undoAt + undoHead, undoAt + undoHead + 16, undoAt + undoHead + 32}},
		{8, []int{lateAt, bitmapAt, bitmapAt + 8, bitmapAt + 504}},
		{slotSize, slots}, {slotSize, slots}, {recordSize, records}, {recordSize, records},
		{listSize, lists}, {lookupSize, lookups}, {lookupSize - LookupSize + 16, lookups},
	}
}

// malicious is a number that breaks careless code, or any number.
func malicious(which byte, raw []byte) uint64 {
	now := uint64(time.Now().UnixMilli())
	pid := uint64(os.Getpid())
	all := []uint64{
		0, 1, 2, 3, 7, 8, 16, 24, 63, 64, 4095, 4096, 4097, 8128, 8192, 1 << 31, math.MaxUint32,
		1<<32 + 1, math.MaxInt64, 1 << 63,
		math.MaxUint64, math.MaxUint64 - 7, math.MaxUint64 - 15, now, now - 1000, now + 1000,
		now + 1e10, pid, pid | 1<<32, pid | 2<<32, 1 | 1<<32,
		maxPID, maxPID + 1, stateAt, undoAt, undoAt - 8, totalsAt, 3 | 3<<32, 1<<63 | 1, 1 << 40,
	}
	if n := int(which); n < len(all) {
		return all[n]
	}
	return binary.LittleEndian.Uint64(raw)
}

// template is the file of a populated ledger.
func template(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(ownDir(t), "template")
	l, _, err := Open(path, MinClients, ThisBoot())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	populate(t, l, Now(), Self())
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// trial puts the bytes into a ledger and uses it.
func trial(t *testing.T, image, data []byte) {
	image = slices.Clone(image)
	corrupt(image, data)
	path := filepath.Join(ownDir(t), "ledger")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	ends("all there is to do", func() { survive(t, path) })
}

func FuzzHonestBody(f *testing.F) {
	image := template(f)
	f.Add([]byte{0})
	f.Add([]byte{0, 250, 1})
	f.Add(append([]byte{1}, make([]byte, 5*patchSize+1)...))
	f.Fuzz(func(t *testing.T, data []byte) { trial(t, image, data) })
}

// The same as the fuzz target, with bytes of a fixed seed, for every run of the tests.
func TestHonestBody(t *testing.T) {
	image := template(t)
	trials := 1500
	if testing.Short() {
		trials = 150
	}
	trialsOlder := trials / 10 // of each version that is carried over with whatever is in it
	for seed := range trials + len(olderVersions)*trialsOlder {
		data := damage(seed)
		if n := seed - trials; n >= 0 && n%trialsOlder == 0 {
			image = older(t, olderVersions[n/trialsOlder])
		}
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { trial(t, image, data) }) {
			t.Fatalf("with %x", data)
		}
	}
}

// damage is bytes for corrupt, different ones with each seed.
func damage(seed int) []byte {
	rnd := rand.New(rand.NewPCG(uint64(seed), 1))
	data := make([]byte, 2+rnd.IntN(40)*patchSize)
	for i := range data {
		data[i] = byte(rnd.Uint32())
		if (i-1)%patchSize == 3 {
			data[i] %= 45 // mostly malicious
		}
	}
	data[0] = byte(seed % 16)
	return data
}
