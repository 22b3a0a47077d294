package surroundings

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"sendwrap/tests/lab"
)

// A process with another network or another root directory, as in a container, has no port of ours.
func TestStartersElsewhere(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	unshare := lab.NeedProgram(t, "unshare")
	dir := t.TempDir() // which has a shell of that name, and its script
	if err := os.Symlink("/bin/sh", filepath.Join(dir, "sendwrap")); err != nil {
		t.Fatal(err)
	}
	const script = "while :; do sleep 3600; done\n"
	if err := os.WriteFile(filepath.Join(dir, "listen"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	const asRoot = `mount -t tmpfs root /mnt && cp -P sendwrap listen /mnt && cd /mnt
for name in bin lib lib64 usr; do
	! test -e /$name || { mkdir $name && mount --bind /$name $name; } || exit
done
exec chroot . "$@"`
	var here int
	for _, tt := range []struct {
		name   string
		before []string
	}{
		{"here", nil},
		{"another network", []string{unshare, "-n"}},
		{"another root directory", []string{unshare, "-m", "/bin/sh", "-c", asRoot, "sh"}},
	} {
		argv := slices.Concat(tt.before, []string{"./sendwrap", "listen", "25"})
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Stderr = dir, os.Stderr
		daemon, err := lab.Start(cmd, "")
		if err != nil {
			t.Fatal(err)
		}
		defer daemon.KillAll()
		lab.Eventually(t, tt.name+" runs", func() bool {
			p, _ := process(daemon.PID())
			return isListening(p.Command)
		})
		if tt.before == nil {
			here = daemon.PID()
		}
	}
	want := []Starter{{"sendwrap", fmt.Sprintf("process %d", here), []string{"25"}, true, true}}
	if got := machineWith(t, nil).Starters(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v; want %v", got, want)
	}
}
