package guard

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// observation is what status says of a verdict.
type observation struct{ Count, Delivered int }

func (s *site) observations() map[string]observation {
	s.t.Helper()
	var status struct{ Observed map[string]observation }
	if err := json.Unmarshal([]byte(s.command("status", "-json")), &status); err != nil {
		s.t.Fatal(err)
	}
	return status.Observed
}

// checkShown checks that status, metrics and report say that each of these clients would have been
// refused by the verdict, and then sent mail.
func (s *site) checkShown(t *testing.T, verdict string, clients ...netip.Addr) {
	t.Helper()
	n := len(clients)
	lab.Eventually(t, "the guard has seen the mail", func() bool {
		return s.observations()[verdict].Delivered == n
	})
	if got := s.observations(); len(got) != 1 || got[verdict].Count != n {
		t.Errorf("status -json: %v; want %d times %s", got, n, verdict)
	}
	for command, row := range map[string]string{
		"status": fmt.Sprintf(`  %s +%d +%d`, verdict, n, n),
		"metrics": fmt.Sprintf(`sendwrap_verdicts_total{mode="observe",verdict="%s"} %d`,
			verdict, n),
	} {
		text := s.command(command)
		if !regexp.MustCompile("(?m)^" + row + "$").MatchString(text) {
			t.Errorf("%s has no %q\n%s", command, row, text)
		}
	}
	log := ""
	for _, client := range clients {
		for _, line := range maillog.Matching(about("[A-Z]+", netip.AddrPortFrom(client, 0))) {
			log += strings.Replace(line, "mail.info ", "Dec  1 00:00:00 mx ", 1) + "\n"
		}
	}
	file := filepath.Join(t.TempDir(), "mail.log")
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprintf(`(?m)^ +%d +%s +then sent mail: %d$`, n, verdict, n)
	if text := s.command("report", file); !regexp.MustCompile(row).MatchString(text) {
		t.Errorf("report has no %q\n%s", row, text)
	}
}

// Real mail servers beyond an observed client_rate are served, and it is seen that they send mail.
func TestObservedRate(t *testing.T) {
	o := options{conf: "client_rate 1/1h observe"}
	everySite(t, o, []kind{inetd, room}, func(t *testing.T, s *site) {
		var clients []netip.Addr
		for _, from := range senders {
			x := newSending(t, s, from, way{})
			client := netip.AddrPortFrom(x.from, 0)
			clients = append(clients, x.from)
			for range 2 {
				if f := x.send("good000")["good000"]; len(f) == 0 || f[len(f)-1] != "sent" {
					t.Fatalf("%s: %q", from.name, f)
				}
			}
			if l := logged(t, "RATE", client); l.fields["mode"] != "observe" {
				t.Errorf("want mode=observe: %s", l.text)
			}
			if l := logged(t, "SENT", client); l.fields["observed"] != "RATE" ||
				l.fields["network"] != networkOf(x.from).String() || l.fields["queue"] == "" {
				t.Errorf("want RATE, its network and the message: %s", l.text)
			}
		}
		s.checkShown(t, "RATE", clients...)
	})
}

// A client that speaks early, and that on_pregreet observe lets in, sends mail.
func TestObservedPregreet(t *testing.T) {
	o := options{conf: "greet_delay 290s stress=290s\non_pregreet observe"}
	everySite(t, o, []kind{inetd, room}, func(t *testing.T, s *site) {
		from := way{}.stranger()
		conn, err := dial(from, s.addr(from))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		c := &client{conn, t}
		c.send("EHLO client.test")
		if greeting := c.reply(); !strings.HasPrefix(greeting, "220 ") {
			t.Fatalf("greeted with %q", greeting)
		}
		c.reply() // to EHLO
		s.waitDelivered(t, c.sendMessage("good001"))
		checkObserved(t, logged(t, "PREGREET", c.Addr), mtaOf(t, c))
		s.waitDelivered(t, c.sendMessage("good001")) // the second shows nothing more
		if l := logged(t, "SENT", c.Addr); l.fields["observed"] != "PREGREET" {
			t.Errorf("want observed=PREGREET: %s", l.text)
		}
		s.checkShown(t, "PREGREET", from)
	})
}
