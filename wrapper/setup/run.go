package setup

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/surroundings"
)

// limit is how long a command may take. sendmailconfig takes seconds, on a slow machine a minute.
const limit = 10 * time.Minute

// shell runs commands. It is there until they end, but not until the daemons end that they start.
var shell = []string{"/bin/sh", "-c"}

// mostOutput is how much of a failed command's output is shown, in bytes.
const mostOutput = 4096

// run runs a command as root would in a shell. "" does nothing.
func (j *journal) run(command string) error {
	if command == "" {
		return nil
	}
	// A file: the daemons that it starts keep it, and would keep a pipe open.
	output, err := os.OpenFile(j.file(outputName),
		os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	cmd := exec.Command(shell[0], shell[1], command)
	cmd.Dir = "/"
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = output, output
	// A process group of its own: ^C of a terminal is for us alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	hangs := time.AfterFunc(limit, func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
	defer hangs.Stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w%s", command, err, lastOf(output))
	}
	return nil
}

// environment is that of all commands. They get nothing from the caller.
func environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
}

// ask returns what a program writes that changes nothing. It is killed after a minute.
func ask(dir, input, program string, args ...string) ([]byte, error) {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, environment()
	cmd.Stdin = strings.NewReader(input)
	cmd.WaitDelay = time.Second // for what it has started, which keeps the pipe
	return cmd.Output()
}

// awaitOrphans waits for commands of a setup that was killed: they run on.
func awaitOrphans(all []entry, out io.Writer) {
	for i := range int(limit / time.Second) {
		runs := slices.ContainsFunc(surroundings.Processes(), func(p surroundings.Process) bool {
			return len(p.Command) == 3 && slices.Equal(p.Command[:2], shell) && p.IsHere() &&
				slices.ContainsFunc(all, func(e entry) bool {
					return p.Command[2] == e.Do || p.Command[2] == e.Undo
				})
		})
		if !runs {
			return
		} else if i == 0 {
			fmt.Fprintln(out, "wait for a command of the setup that was interrupted")
		}
		time.Sleep(time.Second)
	}
}

// lastOf is the end of a command's output, on lines of its own.
func lastOf(output *os.File) string {
	size, err := output.Seek(0, 2)
	if err != nil || size == 0 {
		return ""
	}
	text := make([]byte, min(size, mostOutput))
	n, _ := output.ReadAt(text, size-int64(len(text)))
	return "\n" + strings.TrimSpace(string(text[:n]))
}
