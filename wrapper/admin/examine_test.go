package admin

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// doctor finds nothing on a machine where all is right. Its exit status is 1 if mail would be lost
// or refused, and check shows the same in one line, with its own exit status.
func TestDoctor(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile("/proc/self/comm", comm, 0)
	if err := os.WriteFile("/proc/self/comm", []byte("sendwrap-room"), 0); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:25")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	log, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log"})
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove("/dev/log")
	defer log.Close()

	p := inPlace(t, noNotes)
	port := fmt.Sprintf("127.0.0.1:25: sendwrap-room (process %d)\n", os.Getpid())
	said, errs := p.says(0, "doctor")
	if !strings.Contains(said, "port 25") || !strings.Contains(said, port) ||
		!strings.HasSuffix(said, "\n\nnothing found\n") || errs != "" {
		t.Errorf("where all is right: %s%s", said, errs)
	}
	if _, said := p.says(0, "check"); said != "" {
		t.Errorf("check, where all is right: %s", said)
	}
	if text, _ := p.says(0, "doctor", "-json"); !strings.Contains(text, `"findings":[]`) {
		t.Errorf("as JSON, where all is right: %s", text)
	}

	log.Close() // a note is no reason for another exit status
	said, _ = p.says(0, "doctor")
	const note = "\n\nnote: syslog\n  /dev/log: nobody listens there\n" +
		"  then:  lines of the log are lost\n  write: start rsyslogd or systemd-journald\n"
	if !strings.HasSuffix(said, note) {
		t.Errorf("with a note: %s; want %s", said, note)
	}

	p = inPlace(t, "max_waiting 100")
	const what = "this machine's own mail comes from 127.0.0.1 and ::1"
	const then = "this machine's own mail has to wait, and a program that does not is refused"
	text, _ := p.says(ExitFound, "doctor", "-json")
	var got examined
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.Version != 1 ||
		len(got.Findings) != 2 || got.Findings[0].Key != "loopback" ||
		got.Findings[0].What != what || got.Findings[0].Then != then ||
		got.Findings[0].Severity != "refuses honest mail" ||
		got.Findings[0].Where != p.conf+": allow" {
		t.Errorf("as JSON: %v, %s", err, text)
	}
	want := "refuses honest mail: " + p.conf + ": allow: " + what + ": " + then +
		"; write allow 127.0.0.0/8 ::1\n"
	if _, said := p.says(0, "check"); said != want {
		t.Errorf("check: %q; want %q", said, want)
	}
	if _, said := p.says(0, "check", "192.0.2.9"); said != "" {
		t.Errorf("check of a client: %q", said)
	}
	p.write("mta /bin/true\nno_such_line\n")
	_, said = p.says(ExitFound, "doctor")
	if !strings.HasSuffix(said, "\n1 error in the configuration\n") {
		t.Errorf("with a mistake: %q", said)
	}
}

// examined is the JSON of doctor, as programs read it.
type examined struct {
	Version  int
	Findings []struct{ Key, Severity, Where, What, Then, Write string }
}

// doctor tests lists and resolvers as check does, and asks nobody with -n.
func TestDoctorTestsDNS(t *testing.T) {
	n, dead := nameserver(t), lab.NewNameserver(t)
	dead.Hold("")
	p := inPlace(t, fmt.Sprintf(dnsConf, fmt.Sprint(n.Addr, " ", dead.Addr)))
	findings := func(args ...string) string {
		var out, errs strings.Builder
		Run(append([]string{"doctor", "-f", p.conf, "-json"}, args...), t.TempDir(), &out, &errs)
		var got examined
		if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
			t.Fatalf("%v: %s%s", err, &out, &errs)
		}
		text := ""
		for _, f := range got.Findings {
			if f.Key == "list" || f.Key == "resolver" {
				text += f.Key + " " + f.What + "\n"
			}
		}
		return text
	}
	if got := findings("-n"); got != "" || n.Asked("2.0.0.127.lies.example") > 0 {
		t.Errorf("doctor -n: %s", got)
	}
	got := findings()
	for _, want := range []string{
		"list lies.example does not list 127.0.0.2, as every list must\n",
		"resolver " + dead.Addr.String() + ": it does not answer\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s; want %s", got, want)
		}
	}
	if strings.Contains(got, "list zen") || strings.Contains(got, n.Addr.String()) {
		t.Errorf("what works is found to fail: %s", got)
	}
}
