package exec

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSpawnSignals(t *testing.T) {
	var all []int
	for n := 1; n <= 64; n++ {
		all = append(all, n)
	}
	tests := []struct {
		name  string
		setup setup
	}{
		{"as they should be", setup{}},
		{"all ignored", setup{Ignore: all}},
		{"all blocked", setup{Block: all}},
		{"all ignored and blocked", setup{Ignore: all, Block: all}},
		{"and the room handles some", setup{Ignore: all, Block: all, Notify: true}},
		{"after failures", setup{Ignore: all, Block: all, Notify: true, Failures: 2}},
	}
	set := func(text string) uint64 {
		bits, err := strconv.ParseUint(text, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return bits
	}
	const untouched = 1<<(32-1) | 1<<(34-1) | 1<<(unix.SIGTSTP-1) | 1<<(unix.SIGTTIN-1) |
		1<<(unix.SIGTTOU-1) | 1<<(unix.SIGCONT-1)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := startRoom(t, tt.setup, files{})
			if ign := set(r.field("status", "SigIgn:")); tt.setup.Ignore != nil &&
				ign&untouched != untouched {
				t.Fatalf("the room ignores %#x: the test proves nothing", ign)
			}
			if blk := set(r.field("status", "SigBlk:")); tt.setup.Block != nil &&
				blk&(1<<(unix.SIGUSR1-1)) == 0 {
				t.Fatalf("the room blocks %#x: the test proves nothing", blk)
			}
			handled := r.field("status", "SigCgt:")
			mta := r.spawn()
			for _, name := range []string{"SigIgn:", "SigBlk:", "SigCgt:", "SigPnd:", "ShdPnd:"} {
				if got := set(mta.field("status", name)); got != 0 {
					t.Errorf("%s %#x; want none", name, got)
				}
			}
			if got := r.field("status", "SigCgt:"); got != handled {
				t.Errorf("the room handles %s; want %s, as before", got, handled)
			}
		})
	}
}

// Signals of signal.Notify still arrive, whatever the room's parent ignored and blocked.
func TestSpawnNotify(t *testing.T) {
	var all []int
	for n := 1; n <= 64; n++ {
		all = append(all, n)
	}
	for name, s := range map[string]setup{
		"as they should be":       {Notify: true},
		"all ignored and blocked": {Notify: true, Ignore: all, Block: all},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRoom(t, s, files{})
			mta := r.spawn()
			for _, sig := range roomSignals[:4] { // without SIGCHLD
				if err := unix.Kill(r.pid, sig.(unix.Signal)); err != nil {
					t.Fatal(err)
				}
				if got := r.report(); got != sig.String() {
					t.Errorf("the room got %q; want %q", got, sig)
				}
			}
			if err := unix.Kill(mta.pid, unix.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if got := r.report(); got != unix.SIGCHLD.String() {
				t.Errorf("the room got %q when the MTA ended; want %q", got, unix.SIGCHLD)
			}
		})
	}
}

// A pending signal that the room's parent blocked and ignored must neither kill nor stop the room.
func TestSpawnPendingSignals(t *testing.T) {
	sent := []int{int(unix.SIGUSR1), int(unix.SIGALRM), int(unix.SIGTSTP), 64}
	r := startRoom(t, setup{Ignore: sent, Block: sent}, files{})
	for _, n := range sent {
		if err := unix.Kill(r.pid, unix.Signal(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := r.field("status", "ShdPnd:"), "8000000000082200"; got != want {
		t.Fatalf("pending in the room: %s; want %s, or the test proves nothing", got, want)
	}
	mta := r.spawn()
	if got := mta.field("status", "ShdPnd:"); got != "0000000000000000" {
		t.Errorf("pending in the MTA: %s", got)
	}
	if got := r.field("status", "State:"); strings.HasPrefix(got, "T") {
		t.Errorf("the room is %s", got)
	}
}

// Spawn restores the mask of its thread, which other goroutines use afterwards.
func TestSpawnLeavesMask(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Sigset_t
	blocked := unix.Sigset_t{}
	blocked.Val[0] = 1 << (unix.SIGUSR1 - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before); err != nil {
		t.Fatal(err)
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	blocked.Val[0] |= before.Val[0]

	mta := spawn(t)
	mta.becomeMTA()
	if got := mta.field("status", "SigBlk:"); got != "0000000000000000" {
		t.Errorf("the MTA blocks %s", got)
	}
	if _,
		err := new(Stdio).Spawn([]string{"/nonexistent/mta"}, nil, mta.server, Ends{}); err == nil {
		t.Error("no error from a program that is missing")
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &after); err != nil || after != blocked {
		t.Errorf("the thread blocks %#x, %v; want %#x, as before", after.Val, err, blocked.Val)
	}
}
