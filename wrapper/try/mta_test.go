package try

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Wrong lines in FILE and an MTA that fails are printed, and the exit status is 100.
func TestShowOfWrongFile(t *testing.T) {
	const serves = `echo "220 mx"
while read -r verb rest; do
	case "$verb $rest" in
	*postmas*) printf '550 5.1.1 unknown\r\n' ;;
	QUIT*) printf '221 bye\r\n'; exit ;;
	*) printf '250 ok\r\n' ;;
	esac
done`
	slow, both := []string{"-slow"}, []string{"", "-room"}
	tests := []struct {
		name, mta, lines string
		modes            []string
		want             []string // F stands for FILE
	}{
		{"a wrong line", `exec ` + built() + ` try -mta`, "no_such_line 1\n", slow, []string{
			"\nall 19 scenes went as expected, but F has 1 error\n"}},
		{"wrong lines", `exec ` + built() + ` try -mta`, "no_such_line 1\nmode none\n", slow,
			[]string{
				"\nall 19 scenes went as expected, but F has 2 errors\n"}},
		{"an MTA without a postmaster", serves, "", both, []string{
			"! RCPT TO:<postmaster>: replied \"550 5.1.1 unknown\"; want 250\n" +
				" every domain needs a postmaster (RFC 5321 section 4.5.1); for sendmail write " +
				"\"postmaster: root\" into /etc/aliases and run newaliases\n"}},
		{"an MTA that ends", `echo "mx: no queue" >&2; exit 75`, "", both, []string{
			"\n ! the MTA wrote to stderr: mx: no queue\n"}},
	}
	for _, tt := range tests {
		for _, mode := range tt.modes {
			t.Run(tt.name+" "+mode, func(t *testing.T) {
				t.Parallel()
				mta := filepath.Join(tempDir(t), "mta")
				if err := os.WriteFile(mta, []byte("#!/bin/sh\n"+tt.mta+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
				file := write(t, "greet_delay 1s\nblock off\n"+tt.lines+"mta "+mta+"\n")
				args := append([]string{"try"}, strings.Fields(mode)...)
				cmd, tmp := exec.Command(built(), append(args, "-f", file)...), tempDir(t)
				cmd.Env = append(cmd.Environ(), "TMPDIR="+tmp)
				out, err := cmd.Output()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != 100 {
					t.Errorf("%v; want exit status 100", err)
				}
				text := strings.ReplaceAll(spaces.ReplaceAllString(string(out), " "), file, "F")
				for _, want := range tt.want {
					if !strings.Contains(text, want) {
						t.Errorf("no %q in\n%s", want, text)
					}
				}
				nothingLeft(t, tmp)
			})
		}
	}
}
