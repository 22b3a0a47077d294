package doctor

import (
	"cmp"
	"slices"
	"strings"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/surroundings"
)

// Severity is how bad it is.
type Severity int

// From the mildest.
const (
	Note    Severity = iota // no mail is lost or refused by it
	Refuses                 // honest mail would be refused
	Loses                   // mail would be lost
)

func (s Severity) String() string {
	return [...]string{"note", "refuses honest mail", "loses mail"}[s]
}

// MarshalText is for JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is a fault that was found.
type Finding struct {
	Key      string   `json:"key"`
	Severity Severity `json:"severity"`
	Where    string   `json:"where"` // FILE:LINE, also with a directive; or another place
	What     string   `json:"what"`
	Then     string   `json:"then"`  // what follows
	Write    string   `json:"write"` // what to do
}

// String is the finding in one line.
func (f *Finding) String() string {
	return f.Severity.String() + ": " + f.Where + ": " + f.What + ": " + f.Then + "; " + f.Write
}

// Site is what is looked at.
type Site struct {
	Config  *config.Config
	Machine surroundings.Machine
	Ledger  *ledger.Ledger // nil = none, or none that can be read

	// What DNS has answered; nil = it was not asked.
	Lists, Resolvers []Tested

	// What Findings has found, so that it is read once.
	starters  []surroundings.Starter
	listeners []surroundings.Listener
	inetd     []surroundings.InetdLine
	xinetd    []surroundings.XinetdService
	units     []surroundings.Socket
	processes []surroundings.Process
}

// Tested is a list or a resolver that was tested.
type Tested struct{ Name, Fault string } // without a fault it works

// Ports of mail: of servers; of mail programs, with TLS from the start, and without.
const (
	smtp        = 25
	submissions = 465
	submit      = 587
)

// Findings are all that is found, the worst first. quick leaves out what takes long, what is seldom
// wrong, and what check says in another way.
func (s *Site) Findings(quick bool) (all []Finding) {
	s.starters = s.Machine.Starters()
	s.listeners = surroundings.Listeners(smtp, submissions, submit)
	s.inetd, s.xinetd = s.Machine.InetdLines(), s.Machine.XinetdServices()
	s.units, s.processes = s.Machine.Sockets(), surroundings.Processes()
	for _, c := range complaints() {
		if quick && !c.quick {
			continue
		}
		for _, f := range c.look(s) {
			f.Key, f.Severity, f.Then = c.key, c.severity, c.then
			f.Write += readAgain(f.Where)
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Compare(b.Severity, a.Severity)
	})
	return all
}

// readAgain ends what to write into a file of a super-server, which does not read it by itself.
func readAgain(where string) string {
	switch {
	case strings.HasPrefix(where, surroundings.InetdConf):
		return ", and restart inetd"
	case strings.HasPrefix(where, "/etc/xinetd."):
		return ", and restart xinetd"
	case strings.Contains(where, "/systemd/system/"):
		return ", and systemctl daemon-reload"
	}
	return ""
}

// at is the place of a directive.
func (s *Site) at(directive string) string { return s.Config.Place(directive) + ": " + directive }

// one is a single finding, unless there is nothing to say.
func one(where, what, write string) []Finding {
	if what == "" {
		return nil
	}
	return []Finding{{Where: where, What: what, Write: write}}
}

// sessions are those that the configuration allows where each client has a process.
func (s *Site) sessions() int { return s.Config.MaxWaiting + s.Config.MaxSessions }

// startsAt25 reports whether something starts sendwrap at port 25.
func (s *Site) startsAt25() bool {
	return slices.ContainsFunc(s.starters, func(one surroundings.Starter) bool {
		return one.On && surroundings.IsPort(one.Ports, "25", "smtp")
	})
}
