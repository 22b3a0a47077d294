package exec

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// started is what the program of that name has found at its beginning.
type started struct {
	Args, Environ []string
	All           []string // of os.Environ
	Procs         int
	HidesStderr   bool
	Vector        [][2]uint64 // the auxiliary vector that Go's runtime has found
	File          []byte      // that of the kernel
	Slack         string      // timer slack in ns
}

// buildStarted builds it with a linker flag.
func buildStarted(t *testing.T, ldflag string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "started")
	cmd := osexec.Command("go", "build", "-ldflags="+ldflag, "-o", path, "./testdata/started")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return path
}

// begin runs it.
func begin(t *testing.T, path string, args, environ []string) (b started) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	process, err := os.StartProcess(path, args, &os.ProcAttr{
		Env: environ, Files: []*os.File{nil, w, os.Stderr},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if state, waitErr := process.Wait(); err != nil || waitErr != nil || !state.Success() {
		t.Fatalf("%v, %v, %v", err, waitErr, state)
	}
	if err := json.Unmarshal(out, &b); err != nil {
		t.Fatalf("%v in %.1000q", err, out)
	}
	return b
}

// The entry point of the door adds GOMAXPROCS=1 for the runtime, and the rest of the stack stays as
// the kernel has made it: arguments, environment, auxiliary vector.
func TestDoorEntry(t *testing.T) {
	many := func(n int, before, after string) (list []string) {
		for i := range n {
			list = append(list, before+strconv.Itoa(i)+after)
		}
		return list
	}
	door := buildStarted(t, asDoor)
	usual := begin(t, buildStarted(t, released), []string{"sendwrap"}, []string{}).Procs
	for _, tt := range []struct {
		name          string
		args, environ []string
		procs         int
	}{
		{"one argument", []string{"sendwrap"}, []string{"A=1", "B=2"}, 1},
		{"two", []string{"sendwrap", "check"}, []string{"A=1", "B=2"}, 1},
		{"100", many(100, "arg", ""), []string{"A=1", "B=2"}, 1},
		{"101", many(101, "arg", ""), []string{"A=1"}, 1},
		{"no argument", []string{}, []string{"A=1"}, 1},
		{"empty ones", []string{"", "", ""}, []string{"A=", "B="}, 1},
		{"no environment", []string{"sendwrap"}, []string{}, 1},
		{"nothing at all", []string{}, []string{}, 1},
		{"10000 variables", []string{"sendwrap", "-f", "x"}, many(10_000, "V", "=1"), 1},
		{"like ones", []string{"sendwrap"}, []string{"GOMAXPROCS1=3", "GOMAXPRO=3", "GOMAXPROCS",
			"XGOMAXPROCS=3", "GOMAXPROC=3"}, 1},
		{"set already", []string{"sendwrap"}, []string{"A=1", "GOMAXPROCS=3", "B=2"}, 3},
		{"as we would", []string{"sendwrap"}, []string{"GOMAXPROCS=1"}, 1},
		{"set to nothing", []string{"sendwrap"}, []string{"GOMAXPROCS="}, usual},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := begin(t, door, tt.args, tt.environ)
			args := tt.args
			if len(args) == 0 { // so does Linux since 5.18
				args = []string{""}
			}
			if !slices.Equal(got.Args, args) {
				t.Errorf("arguments %.200q; want %.200q", got.Args, args)
			}
			if !slices.Equal(got.Environ, tt.environ) {
				t.Errorf("environment %.200q; want %.200q", got.Environ, tt.environ)
			}
			if got.Procs != tt.procs {
				t.Errorf("GOMAXPROCS is %d; want %d", got.Procs, tt.procs)
			}
			if !got.HidesStderr {
				t.Error("HidesStderr says that another entry point was taken")
			}
			if got.Slack != "5000000" {
				t.Errorf("timer slack %s ns; want 5 ms", got.Slack)
			}
			checkVector(t, got)
		})
	}
}

// checkVector checks that the runtime has found the auxiliary vector: with it the page size, and
// the vDSO, by which it reads the clock without a system call.
func checkVector(t *testing.T, b started) {
	t.Helper()
	var want [][2]uint64
	for at := 0; at+16 <= len(b.File); at += 16 {
		tag := binary.NativeEndian.Uint64(b.File[at:])
		if tag == 0 {
			break
		}
		want = append(want, [2]uint64{tag, binary.NativeEndian.Uint64(b.File[at+8:])})
	}
	const sysinfo = 33 // AT_SYSINFO_EHDR, the vDSO
	if !slices.Equal(b.Vector, want) ||
		!slices.ContainsFunc(want, func(v [2]uint64) bool { return v[0] == sysinfo }) {
		t.Errorf("auxiliary vector %x; want %x", b.Vector, want)
	}
}

// The other entry points add nothing, and only the linker's flag makes a difference.
func TestEntryAddsNothing(t *testing.T) {
	for _, ldflag := range []string{released, ""} {
		got := begin(t, buildStarted(t, ldflag), []string{"sendwrap"}, []string{"GOMAXPROCS=1"})
		if want := []string{"GOMAXPROCS=1"}; !slices.Equal(got.Environ, want) ||
			!slices.Equal(got.All, want) || got.HidesStderr != (ldflag == released) ||
			got.Slack == "5000000" {
			t.Errorf("linked with %q: %+v", ldflag, got)
		}
	}
}
