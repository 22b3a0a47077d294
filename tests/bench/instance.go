package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// instance is sendwrap with a configuration and a ledger of its own.
type instance struct {
	program string
	conf    string
	ledger  string
	log     *logReader
}

// instance writes a configuration with these directives, and no others but where the ledger is, and
// lets `sendwrap check` confirm it.
func (l *bench) instance(name string, directives ...string) *instance {
	return l.instanceFor(ledgerSize, name, directives...)
}

// instanceFor is instance with a ledger for so many clients.
func (l *bench) instanceFor(clients int, name string, directives ...string) *instance {
	i := &instance{program: l.program("sendwrap"), log: l.log}
	i.conf = filepath.Join(l.dir, name+".conf")
	// A directory of its own: sendwrap needs it private.
	i.ledger = filepath.Join(l.dir, name, "ledger")
	lines := append([]string{fmt.Sprintf("ledger %s clients=%d", i.ledger, clients)}, directives...)
	check(os.WriteFile(i.conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	must(i.command("check"))
	if l.door {
		must(i.command("compile")) // the first client's too is to be the door's
	}
	return i
}

// peer returns the instance as a program whose client must read says.
func (i *instance) peer(says string) peer {
	return peer{name: ours, instance: i, argv: []string{i.program, "-f", i.conf}, says: says}
}

// fromText is the instance's peer without the door: the full program, which reads sendwrap.conf for
// each client.
func (l *bench) fromText(p peer) peer {
	p.name, p.argv = fromText, slices.Clone(p.argv)
	p.argv[0] = l.program(fullProgram)
	return p
}

// withText are the peer and, if there is a door, the same without it.
func (l *bench) withText(p peer) []peer {
	if !l.door {
		return []peer{p}
	}
	return []peer{p, l.fromText(p)}
}

// command runs `sendwrap NAME -f FILE ARG…` and returns what it prints.
func (i *instance) command(name string, args ...string) ([]byte, error) {
	argv := append([]string{name, "-f", i.conf}, args...)
	var message strings.Builder
	cmd := osexec.Command(i.program, argv...)
	cmd.Stderr = &message
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("sendwrap %q: %w\n%s%s", argv, err, out, message.String())
	}
	return out, nil
}

// status is what is needed here of `sendwrap status -json`.
type status struct {
	Sessions struct {
		Waiting int `json:"waiting"`
		Serving int `json:"serving"`
	} `json:"sessions"`
	Verdicts map[string]int `json:"verdicts"`
	Open     map[string]int `json:"open"` // clients that met no limits, by cause
}

func (i *instance) status() (status, error) {
	var s status
	out, err := i.command("status", "-json")
	if err == nil {
		err = json.Unmarshal(out, &s)
	}
	return s, err
}

// waiting returns how many clients wait.
func (i *instance) waiting() (int, error) {
	s, err := i.status()
	return s.Sessions.Waiting, err
}

// reaching calls run and reports an error unless meanwhile sendwrap reached each of these verdicts
// that many times and no other: in its counts and in its log.
func (i *instance) reaching(want map[string]int, run func() error) error {
	before, err := i.status()
	if err != nil {
		return err
	}
	logged := make(map[string]int)
	for verdict := range want {
		logged[verdict] = i.log.seen(verdict)
	}
	if err := run(); err != nil {
		return err
	}
	after, err := i.status()
	if err != nil {
		return err
	}
	for verdict, n := range want {
		before.Verdicts[verdict] += n
	}
	if !maps.Equal(before.Verdicts, after.Verdicts) {
		return fmt.Errorf("sendwrap counts %v, want %v", after.Verdicts, before.Verdicts)
	}
	for verdict, n := range want {
		if err := i.log.expect(verdict, logged[verdict]+n); err != nil {
			return err
		}
	}
	return nil
}
