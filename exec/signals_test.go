package exec

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSignals(t *testing.T) {
	var all []int
	for n := 1; n <= 64; n++ {
		all = append(all, n)
	}
	ints := func(list ...syscall.Signal) (n []int) {
		for _, s := range list {
			n = append(n, int(s))
		}
		return n
	}
	tests := []struct {
		name     string
		setup    setup
		ign, blk bool // the wrapper ignores, blocks some, or the test proves nothing
	}{
		{"as they should be", setup{}, false, false},
		// Go handles it at once
		{"systemd ignores SIGPIPE", setup{Ignore: ints(unix.SIGPIPE)}, false, false},
		{"nohup ignores SIGHUP", setup{Ignore: ints(unix.SIGHUP)}, true, false},
		{"a shell without job control", setup{Ignore: ints(unix.SIGINT, unix.SIGQUIT)}, true,
			false},
		{"those that Go never changes",
			setup{Ignore: append(ints(unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCONT), 32,
				34)}, true, false},
		{"all blocked", setup{Block: all}, false, true},
		{"all ignored and blocked", setup{Ignore: all, Block: all}, true, true},
		{"after failures", setup{Ignore: all, Block: all, Failures: 2}, true, true},
	}
	const none = "0000000000000000"
	door := built(t, asDoor)
	for i := range 2 * len(tests) {
		tt, name := tests[i/2], tests[i/2].name
		if i%2 == 1 { // which locks no thread
			tt.setup.Program, name = door, name+", door"
		}
		t.Run(name, func(t *testing.T) {
			s := start(t, tt.setup, fds{})
			ign, blk := s.field("status", "SigIgn:"), s.field("status", "SigBlk:")
			// The parent of the test may ignore more signals, as make(1) does.
			if tt.ign && ign == none || tt.blk && blk == none {
				t.Fatalf("the wrapper ignores %s and blocks %s: the test proves nothing", ign, blk)
			}
			s.becomeMTA()
			for _, name := range []string{"SigIgn:", "SigBlk:", "SigCgt:", "SigPnd:", "ShdPnd:"} {
				if got := s.field("status", name); got != none {
					t.Errorf("%s %s; want none", name, got)
				}
			}
		})
	}
}

// A pending signal that our parent blocked and ignored must not kill us.
func TestPendingSignals(t *testing.T) {
	sent := []int{int(unix.SIGUSR1), int(unix.SIGALRM), int(unix.SIGTSTP), 64}
	s := start(t, setup{Ignore: sent, Block: sent}, fds{})
	for _, n := range sent {
		if err := unix.Kill(s.pid, unix.Signal(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := s.field("status", "ShdPnd:"), "8000000000082200"; got != want {
		t.Fatalf("pending in the wrapper: %s; want %s, or the test proves nothing", got, want)
	}
	s.becomeMTA()
	if got := s.field("status", "ShdPnd:"); got != "0000000000000000" {
		t.Errorf("pending in the MTA: %s", got)
	}
}
