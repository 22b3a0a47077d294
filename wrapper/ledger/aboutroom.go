package ledger

import (
	"encoding/binary"
	"time"
)

// maxRooms is how many rooms the ledger knows at once.
const maxRooms = 8

// RegisterRoom says that a room serves clients with this file as long as its process lives, and of
// which version it is. It takes no lock. If eight other rooms are registered it does nothing.
func (l *Ledger) RegisterRoom(p Process, build string) {
	l.withoutLock(func() {
		if i := register(l.unlocked.rooms[:], p); i >= 0 {
			l.unlocked.about[i].setBuild(build)
		}
	})
}

// NoteConfigured says when a registered room has read its configuration. It takes no lock.
func (l *Ledger) NoteConfigured(p Process, at time.Time) {
	l.withoutLock(func() {
		for i := range l.unlocked.rooms {
			if l.unlocked.rooms[i].Load() == entryOf(p) {
				l.unlocked.about[i].configured.Store(at.UnixMilli())
			}
		}
	})
}

func (f *roomFacts) setBuild(build string) {
	var text [16]byte
	copy(text[:], build)
	for i := range f.build {
		f.build[i].Store(binary.NativeEndian.Uint64(text[8*i:]))
	}
	f.configured.Store(0)
}

// Room is a process that holds many clients.
type Room struct {
	PID        int
	Started    time.Time
	Build      string    // its version; "" = one before there were such notes
	Configured time.Time // when it read its configuration; zero = not known
}

// Rooms are the registered rooms that live. It takes no lock.
func (l *Ledger) Rooms(now Moment) (all []Room) {
	l.withoutLock(func() {
		for i := range l.unlocked.rooms {
			if e := l.unlocked.rooms[i].Load(); lives(e) {
				all = append(all, l.unlocked.about[i].room(e, now))
			}
		}
	})
	return all
}

// room is the room of that entry.
func (f *roomFacts) room(entry uint64, now Moment) Room {
	const ticks = 100 // a second, whatever the kernel's own clock (proc(5), sysconf(3))
	after := time.Duration(entry&(1<<pidShift-1)) * time.Second / ticks
	r := Room{PID: int(entry >> pidShift), Started: now.Wall.Add(after - now.Boot)}
	var text [16]byte
	for i := range f.build {
		binary.NativeEndian.PutUint64(text[8*i:], f.build[i].Load())
	}
	for n := 0; n < len(text) && text[n] > ' ' && text[n] < 0x7f; n++ {
		r.Build = string(text[:n+1])
	}
	if ms := f.configured.Load(); ms > 0 && ms < maxTime {
		r.Configured = time.UnixMilli(ms)
	}
	return r
}
