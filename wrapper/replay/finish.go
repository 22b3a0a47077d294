package replay

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sendwrap/wrapper/decide"
)

// finish makes the result from what was counted.
func (r *replay) finish() {
	f := r.result
	for v := decide.Undecided; int(v) < decide.NumVerdicts; v++ {
		one := Verdict{Verdict: nowWord(v)}
		for other := range decide.NumVerdicts {
			one.Then += r.table[v][other]
			one.Now += r.table[other][v]
			if n := r.table[v][other]; n > 0 && int(v) != other {
				f.Changes = append(f.Changes,
					Change{nowWord(v), nowWord(decide.Verdict(other)), n})
			}
		}
		f.Same += r.table[v][v]
		if one.Then+one.Now > 0 {
			f.Verdicts = append(f.Verdicts, one)
		}
	}
	slices.SortFunc(f.Changes, mostFirst)
	f.Clients, f.More = r.clients()
	for i, named := range r.named {
		if !named {
			f.Untold.Silent = append(f.Untold.Silent, r.door.Policy.Lists[i].Name)
		}
	}
	f.Untold.Missing = slices.Sorted(maps.Keys(r.missing))
	f.Findings = r.findings()
}

// findings say in sentences what changes: first the clients that are refused now, then the others.
func (r *replay) findings() (list []string) {
	if len(r.result.Changes) == 0 {
		return nil
	}
	lines := r.directives()
	for now := decide.Denied; int(now) < decide.NumVerdicts; now++ {
		s := r.sum(func(of [2]decide.Verdict) bool { return of[1] == now && lost(of[0], now) })
		if s.clients > 0 {
			list = append(list, fmt.Sprintf("%s would have refused %s that %s served, %s",
				lines.of(now), s, s.verb(), s.ofWhichKnown()))
		}
	}
	for then := decide.Denied; int(then) < decide.NumVerdicts; then++ {
		s := r.sum(func(of [2]decide.Verdict) bool {
			return of[0] == then && !then.Served() && of[1].Served()
		})
		if s.clients > 0 {
			list = append(list, fmt.Sprintf("%s that %s %s would have been served", s,
				s.verb(), then))
		}
		s = r.sum(func(of [2]decide.Verdict) bool {
			return of[0] == then && of[1] == decide.Undecided
		})
		if s.clients > 0 {
			list = append(list, fmt.Sprintf("%s that %s %s would have had to wait", s,
				s.verb(), then))
		}
	}
	return list
}

// sum is how many clients, and connections of them, had such changes.
type sum struct{ clients, connections, known int }

func (s sum) String() string {
	if s.connections == s.clients {
		return plural(s.clients, "client")
	}
	return plural(s.clients, "client") + " (" + plural(s.connections, "connection") + ")"
}

func (s sum) ofWhichKnown() string {
	switch s.known {
	case 0:
		return "none of which is known"
	case 1:
		return "1 of which is known"
	}
	return fmt.Sprint(s.known, " of which are known")
}

func (r *replay) sum(such func(of [2]decide.Verdict) bool) (s sum) {
	for then := range r.table {
		for now, n := range r.table[then] {
			of := [2]decide.Verdict{decide.Verdict(then), decide.Verdict(now)}
			if then != now && such(of) {
				s.connections += n
				s.clients += r.clientsOf[of]
				s.known += r.knownOf[of]
			}
		}
	}
	return s
}

// directives are the lines of the configuration by their first word.
type directives map[string]string

func (r *replay) directives() directives {
	var text bytes.Buffer
	_ = r.Config.Write(&text) // a buffer takes all
	d := directives{}
	for line := range strings.Lines(text.String()) {
		line = strings.TrimSuffix(line, "\n")
		name, _, _ := strings.Cut(line, " ")
		d[name] = line
	}
	return d
}

// of names the line of the configuration by which a client is refused so.
func (d directives) of(v decide.Verdict) string {
	name := map[decide.Verdict]string{
		decide.Blocked: "blocks", decide.Busy: "max_sessions", decide.Conns: "client_conns",
		decide.Rate: "client_rate", decide.Hangup: "greet_delay", decide.Pregreet: "greet_delay",
		decide.DNSBL: "dnsbl_threshold", decide.Denied: "deny",
	}[v]
	return cmp.Or(d[name], name, v.String())
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// verb goes with the clients.
func (s sum) verb() string {
	if s.clients == 1 {
		return "was"
	}
	return "were"
}
