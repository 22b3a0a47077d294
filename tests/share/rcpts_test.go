package share

import (
	"fmt"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// startGuard starts the guard of a machine.
func (m *machine) startGuard() {
	m.t.Helper()
	m.start("guard")
	lab.Eventually(m.t, "the guard listens", func() bool {
		c, err := lab.DialMilter("unix", m.file("guard.socket"))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// guess has a client name one recipient that the MTA rejects, in a session of its own. It returns
// the guard's answer.
func (m *machine) guess(client, name string) string {
	m.t.Helper()
	c, err := lab.DialMilter("unix", m.file("guard.socket"))
	if err != nil {
		m.t.Fatal(err)
	}
	defer c.Close()
	answer := ""
	for _, step := range []func() (string, error){
		func() (string, error) { return "c", c.Negotiate() },
		func() (string, error) { return c.Connect(client, 4242) },
		func() (string, error) { return c.Mail("somebody@example.org") },
		func() (string, error) {
			return c.Rcpt(name+"@example.com", "error", "5.1.1", "550 5.1.1 User unknown")
		},
	} {
		if answer, err = step(); err != nil {
			m.t.Fatalf("%s: %v", m.name, err)
		}
	}
	return answer
}

// Ten wrong names an hour are ten, though the client spreads them over three machines: the guard of
// the machine that sees the tenth ends the session, and all block the client.
func TestTenNamesOverThree(t *testing.T) {
	t.Parallel()
	all := three(t, startEngine(t, redis), quick+"bad_rcpts 9\nbad_rcpts_total 10/1h\n")
	for _, m := range all {
		m.startGuard()
	}
	const client, names = "198.18.0.4", 9
	for n := range names {
		if got := all[n%3].guess(client, fmt.Sprint("name", n)); got != "c" {
			t.Fatalf("wrong name %d is answered with %q; want no verdict", n+1, got)
		}
	}
	last := all[2]
	lab.Eventually(t, "the last machine has heard of the names of the others", func() bool {
		applied := 0
		for _, other := range last.sharing().Machines {
			applied += other.Applied
		}
		return applied == names*2/3
	})
	if got := last.guess(client, "name9"); !strings.HasPrefix(got, "y421 4.7.0 ") {
		t.Errorf("the tenth wrong name is answered with %q; want 421", got)
	}
	lab.Eventually(t, "the log says that these are ten", func() bool {
		return last.logged("guard", "bad=1/9 total=10/10 per=1h") == 1
	})
	for _, m := range all[:2] {
		m.waitLogged("reason=bad_rcpts from=mx3", 1)
		m.waitBlocked(client, true)
	}
}
