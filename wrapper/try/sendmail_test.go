package try

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A real sendmail asks the guard where it can, and leaves nothing behind. Otherwise the stand-in
// asks it, and the output says why.
func TestShowWithSendmail(t *testing.T) {
	program := built()
	const mx, short = "mx.example.org", "mx"
	// Another program in the place of sendmail, by its answers to -bt and to a client.
	fake := func(version, greeting string) string {
		file := filepath.Join(tempDir(t), "sendmail")
		script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *-bt*) printf '%s\\n';; "+
			"*-bs*) printf '%s\\r\\n';; *) exit 99;; esac\n", version, greeting)
		if err := os.WriteFile(file, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		return "mount --bind " + file + " " + realSendmail
	}
	const version = `Version 8.18.1\n Compiled with: MILTER`
	tests := []struct {
		name, host, setUp string
		args              []string
		want              string
	}{
		{"as it is", mx, "", nil, "Sendmail 8."},
		{"in a room", mx, "", []string{"-room"}, "Sendmail 8."},
		{"beside an MTA that is there", mx, "",
			[]string{"-f", write(t, "greet_delay 1s\nmta "+program+" try -mta\n")}, "Sendmail 8."},
		{"a short host name", short, "", nil,
			"a stand-in (sendmail: too slow; is the full host name in /etc/hosts?)"},
		{"no m4", mx, "PATH=/nonexistent", nil, "a stand-in (sendmail: m4: "},
		{"no macros of its own", mx, "mount -t tmpfs none " + filepath.Dir(sendmailCF), nil,
			"a stand-in\n"},
		{"another of that name", mx, fake(`fatal: unsupported: -bt`, "220 mx ESMTP Postfix"), nil,
			"a stand-in\n"},
		{"no milters", mx, fake(`Version 8.18.1\n Compiled with: NEWDB`, "220 mx ESMTP"), nil,
			"a stand-in (sendmail: built without milters)"},
		{"not for us", mx, fake(version, "554 5.7.1 mx no access"), nil,
			"a stand-in (sendmail: replies \"554 5.7.1 mx no access\")"},
		{"no answers", mx, fake(version, "220 mx ESMTP"), nil,
			"a stand-in (sendmail: EHLO try.example: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want[0] != 'S' { // a real one must not be slow
				t.Parallel()
			}
			args := append([]string{program, "try", "-slow"}, tt.args...)
			if tt.args == nil || tt.args[0] == "-room" {
				args = append(args, "-f", write(t, "greet_delay 1s\nmta "+program+" try -mta"))
			}
			hosts := write(t, "127.0.0.1 localhost\n127.0.0.1 "+tt.host+"\n")
			setUp := "mount --bind " + hosts + " /etc/hosts && hostname " + tt.host +
				" && " + max(tt.setUp, ":")
			cmd, want := isolated(setUp, args), tt.want
			if !hasSendmail(t) {
				if os.Getenv("CI") == "true" {
					t.Fatal("no sendmail that root may use: install sendmail-bin, " +
						"sendmail-cf and m4, and run this test as root")
				}
				want = "a stand-in"
			}
			showsAs(t, cmd, []string{
				"\nguard process ", " asked by " + want,
				" mistypes a name, delivers 220 ",
				" guesses names, bad_rcpts 3 ended at guess 3, learned nothing 1 BADRCPTS, 1 PASS ",
				" 1 each, bad_rcpts_total 10/1h 9× 550 5.1.1, 1× ended at guess 1… ",
				"\nall ",
			})
		})
	}
}

// isolated is a command that runs after setUp in namespaces of its own; without root, it runs as it
// is.
func isolated(setUp string, command []string) *exec.Cmd {
	if os.Geteuid() != 0 {
		return exec.Command(command[0], command[1:]...)
	}
	cmd := exec.Command("sh", append([]string{"-c", setUp + ` && exec "$@"`, "sh"}, command...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS}
	return cmd
}

// hasSendmail reports whether there is a sendmail that may be used.
func hasSendmail(t *testing.T) bool {
	t.Helper()
	for _, file := range []string{realSendmail, sendmailCF} {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return os.Geteuid() == 0
}
