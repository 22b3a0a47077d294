package ledger

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Sessions of an older version go on if their processes live; those of an earlier boot do not.
func TestHonestOlderSessions(t *testing.T) {
	for _, version := range olderVersions {
		checkSessionsGoOn(t, version)
	}
}

func checkSessionsGoOn(t *testing.T, version int) {
	t.Helper()
	image := older(t, version)
	if n := replaceProcess(t, image, olderAlonePID, olderAloneStart, Self()); n < 2 {
		t.Fatalf("%d slots replaced; want two in use at least", n)
	}
	replaceProcess(t, image, olderRoomPID, olderRoomStart, Self())
	for _, tt := range []struct {
		boot             Boot
		waiting, serving int
	}{{olderBoot(version), 2, 1}, {bootN(2), 0, 0}} {
		l, _ := openOlder(t, image, MinClients, tt.boot)
		now := olderNow().After(time.Minute)
		if tt.boot != olderBoot(version) {
			now.Boot = 20 * time.Second
		}
		mustAt(t, l, now, func(tx *Tx) {
			if n := tx.Totals(); n.Waiting != tt.waiting || n.Serving != tt.serving {
				t.Errorf("boot %q: %d wait, %d are served; want %d, %d", tt.boot[:2], n.Waiting,
					n.Serving, tt.waiting, tt.serving)
			}
			for _, s := range tx.Sessions() {
				if s.Age != time.Minute || s.Process.PID != os.Getpid() ||
					s.Process.Shared != (s.Client.Addr().String() == "192.0.2.6") {
					t.Errorf("%+v", s)
				}
			}
			if s := tx.Look(Arrival{Client: netip.MustParseAddrPort("192.0.2.3:25"),
				Network: netip.MustParsePrefix("192.0.2.3/32")}); s.BlockLeft != 29*time.Minute {
				t.Errorf("boot %q: the block has %v left", tt.boot[:2], s.BlockLeft)
			}
		})
	}
}

// A ledger of an older version that cannot be read now stays as it is until it can.
func TestHonestOlderHeld(t *testing.T) {
	const version = 2
	path := filepath.Join(ownDir(t), "ledger")
	image := older(t, version)
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
	_, _, err = openBy(path, MinClients, olderBoot(version), olderNow)
	if err == nil {
		t.Error("opened while another has the lock")
	}
	checkUntouched(t, path, image)
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	l, _, err := openBy(path, MinClients, olderBoot(version), olderNow)
	if err != nil {
		t.Fatal(err)
	}
	checkOlder(t, version, l, 0)
	shut(l)
}
