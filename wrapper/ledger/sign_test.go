package ledger

import (
	"os/exec"
	"testing"
)

// A room is there for as long as its process lives, whoever looks; one that begins takes the place
// of one that has ended.
func TestSessionsOfEmptyRooms(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	for range 3 * len(l.apart.rooms) {
		room := exec.Command("/bin/sleep", "600")
		if err := room.Start(); err != nil {
			t.Fatal(err)
		}
		p, err := Identify(room.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		l.Sign(p)
		l.Sign(p)
		has := other.HasRoom()
		_ = room.Process.Kill()
		_ = room.Wait()
		if !has || other.HasRoom() {
			t.Fatalf("there is a room: %v; when it has ended: %v", has, other.HasRoom())
		}
	}
	// Those of another start time have ended, and nonsense is none.
	self := Self()
	self.Start--
	l.Sign(self)
	l.apart.rooms[2].Store(1<<64 - 1)
	if l.HasRoom() {
		t.Error("a process that is not the one that has signed is a room")
	}
	for range 2 {
		l.Sign(Self())
	}
	if !other.HasRoom() {
		t.Error("there is a room")
	}
	signs := 0
	for i := range l.apart.rooms {
		if l.apart.rooms[i].Load() == signOf(Self()) {
			signs++
		}
	}
	if signs != 1 {
		t.Errorf("a room has %d signs", signs)
	}
}
