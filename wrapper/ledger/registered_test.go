package ledger

import (
	"os/exec"
	"testing"
)

// A room is registered as long as its process lives, whichever process looks. A new one replaces
// one that has ended.
func TestSessionsOfEmptyRooms(t *testing.T) {
	l := newLedger(t, MinClients)
	other, _ := mustOpen(t, ledgerPath(t, l), MinClients)
	for range 3 * len(l.unlocked.rooms) {
		room := exec.Command("/bin/sleep", "600")
		if err := room.Start(); err != nil {
			t.Fatal(err)
		}
		p, err := Identify(room.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		l.RegisterRoom(p, "1.0")
		l.RegisterRoom(p, "1.0")
		has := other.HasRoom()
		_ = room.Process.Kill()
		_ = room.Wait()
		if !has || other.HasRoom() {
			t.Fatalf("there is a room: %v; when it has ended: %v", has, other.HasRoom())
		}
	}
	// A process with another start time has ended, and nonsense is no process.
	self := Self()
	self.Start--
	l.RegisterRoom(self, "")
	l.unlocked.rooms[2].Store(1<<64 - 1)
	if l.HasRoom() {
		t.Error("a process that is not the one that has signed is a room")
	}
	for range 2 {
		l.RegisterRoom(Self(), "1.0")
	}
	if !other.HasRoom() {
		t.Error("there is a room")
	}
	signs := 0
	for i := range l.unlocked.rooms {
		if l.unlocked.rooms[i].Load() == entryOf(Self()) {
			signs++
		}
	}
	if signs != 1 {
		t.Errorf("a room has %d signs", signs)
	}
}
