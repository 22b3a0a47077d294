package try

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// openRelay is an MTA that accepts all mail, and writes down what each client sends.
const openRelay = `#!/bin/sh
echo "220 mx.test anything goes"
while read -r verb rest; do
	echo "$TCPREMOTEIP $verb $rest" >>"$0.log"
	case $verb in
	QUIT*) echo "221 bye"; exit ;;
	DATA*) echo "354 go on"; while read -r line && test "${line#.}" = "$line"; do :; done ;;
	esac
	echo "250 fine"
done
`

// The show notices an MTA that relays for a client of another network, in both modes, and sends it
// no mail.
func TestRelay(t *testing.T) {
	lab.NeedRoot(t)
	for _, args := range [][]string{{"-slow"}, {"-slow", "-room"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			mta := filepath.Join(tempDir(t), "mta")
			if err := os.WriteFile(mta, []byte(openRelay), 0o755); err != nil {
				t.Fatal(err)
			}
			conf := write(t, "greet_delay 1s\nmta "+mta+" -bs\n")
			cmd := exec.Command(built(), append(append([]string{"try"}, args...), "-f", conf)...)
			tmp := tempDir(t)
			cmd.Env = append(cmd.Environ(), "TMPDIR="+tmp)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Error("exit status 0")
			}
			text := spaces.ReplaceAllString(string(out), " ")
			for _, want := range []string{
				"\n192.0.2.77 asks for a relay 250 fine ALLOWED ",
				"\n the MTA's answer for relay@try.example: 250 fine\n",
				"\n ! OPEN RELAY: anybody can send mail anywhere through this MTA; see ",
				"\n1 of ",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
			nothingLeft(t, tmp)
			said, err := os.ReadFile(mta + ".log")
			if err != nil {
				t.Fatal(err)
			}
			var asked []string
			for line := range strings.Lines(string(said)) {
				if rest, found := strings.CutPrefix(line, foreignClient.String()+" "); found {
					asked = append(asked, strings.TrimSpace(rest))
				}
			}
			const want = "EHLO try.example|MAIL FROM:<>|RCPT TO:<relay@try.example>|QUIT"
			if got := strings.Join(asked, "|"); got != want {
				t.Errorf("the MTA was told %q; want %q", got, want)
			}
		})
	}
}

// A user who may not make a network namespace can run the show; the relay is not tried.
func TestRelayNotAsked(t *testing.T) {
	setpriv := lab.NeedProgram(t, "setpriv")
	lab.NeedRoot(t)
	tmp := tempDir(t)
	conf := filepath.Join(tmp, "sendwrap.conf")
	text := "greet_delay 1s\nmta " + built() + " try -mta\n"
	for _, err := range []error{
		os.WriteFile(conf, []byte(text), 0o644),
		os.Chmod(tmp, 0o777), os.Chown(conf, lab.LimitedID, lab.LimitedID),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(setpriv, "--reuid="+lab.LimitedUser, "--clear-groups", "--inh-caps=-all",
		built(), "try", "-slow", "-f", conf)
	cmd.Env = append(cmd.Environ(), "TMPDIR="+tmp)
	out, err := cmd.CombinedOutput()
	const want = " asks for a relay not tried: needs root none "
	if err != nil || !strings.Contains(spaces.ReplaceAllString(string(out), " "), want) {
		t.Errorf("%v; want %q in\n%s", err, want, out)
	}
}
