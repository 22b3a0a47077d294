package main

import (
	"fmt"
	"strings"
	"time"

	"sendwrap/tests/lab"
)

// An attack that the server slows down is ended, to save time.
const (
	attackLimit      = 10 * time.Second
	quickAttackLimit = 2 * time.Second
)

// caught is the guard's verdict about a client that guesses.
const caught = "BADRCPTS"

// mailServer is the target of an attack.
type mailServer struct {
	name  string
	start func() *daemon // for each attack; nil: at
	at    *daemon        // runs all the time
	by    guarded        // sendwrap, if it has a part in it
}

// measureDictionary measures what dictionary attacks learn from mail servers, and what they cost
// these: MTA time is how long each connection had a process of the server, all connections
// together, so that 20 that wait a second are 20 s.
//
// Each server defends itself as its name says and by its defaults. sendwrap has no greet delay
// here, since that would delay an attacker once.
func measureDictionary(l *bench) {
	if why := lackOfSendmail(); why != "" {
		l.put(row{What: "dictionary attacks", Skipped: why})
		return
	}
	servers := l.mailServers()
	rounds, names, limit := min(l.rounds, 3), guesses, attackLimit
	if l.quick {
		rounds, names, limit = 1, quickGuesses, quickAttackLimit
	}
	for _, a := range attacks(names) {
		got := make(turns[tally])
		for round := range rounds {
			for turn := range servers {
				s := servers[(round+turn)%len(servers)]
				brought := got[s.name]
				switch {
				case l.late() != nil && round > 0:
					l.cut = fmt.Sprintf("%v: %d of %d rounds", l.late(), round, rounds)
				case l.late() != nil:
					check(l.late())
				case round > 0 && brought[0][0].late:
					// It would take as long again, and bring the same.
					got[s.name] = append(brought, brought[0])
				default:
					got[s.name] = append(brought, []tally{l.attacked(s, a, limit)})
				}
			}
		}
		l.put(dictionaryRows(a, got)...)
	}
}

// dictionaryRows are what one attack has brought and cost, as medians of the rounds.
func dictionaryRows(a attack, got turns[tally]) []row {
	var rows []row
	for _, column := range []struct {
		what, unit string
		value      func(tally) float64
	}{
		{fmt.Sprintf("names learned of %d", a.names), "",
			func(l tally) float64 { return float64(l.learned) }},
		{fmt.Sprintf("valid names learned of %d", a.names/validOne), "",
			func(l tally) float64 { return float64(l.valid) }},
		{"MTA time", "s", func(l tally) float64 { return l.held.Seconds() }},
		{"CPU time of the MTA", "ms", func(l tally) float64 { return ms(l.cpu) }},
		{"time of the attacker", "s", func(l tally) float64 { return l.took.Seconds() }},
	} {
		s := got.reduce(func(l []tally) float64 { return column.value(l[0]) })
		what := fmt.Sprintf("dictionary, %s: %s", a.name, column.what)
		rows = append(rows, s.row(what, column.unit).against(s, bareSendmail))
	}
	return rows
}

// attacked lets an attack come, from an address that no client had before.
func (l *bench) attacked(s mailServer, a attack, limit time.Duration) tally {
	d := s.at
	if s.start != nil {
		d = s.start()
		defer d.stop()
	}
	var before status
	if s.by.instance != nil {
		before = must(s.by.status())
	}
	spent := func() (sum time.Duration) {
		for _, d := range []*daemon{s.at, s.by.guard} {
			if d != nil {
				sum += must(d.spent())
			}
		}
		return sum
	}
	spent() // what they did before is not this attack's
	got := must(a.run(l.client(), d.addr, limit))
	if s.start != nil {
		got.cpu = d.lifetime()
	}
	got.cpu += spent()
	if err := s.believe(a, got, before); err != nil {
		check(fmt.Errorf("%s: %s: %w", s.name, a.name, err))
	}
	return got
}

// believe reports an error unless the attack was what it is meant to be: a server without a defence
// tells all, and sendwrap has seen what it should see.
func (s mailServer) believe(a attack, got tally, before status) error {
	if s.name == bareSendmail && got.learned != a.names && !got.late {
		return fmt.Errorf("%d of %d names learned, and nothing defends it", got.learned, a.names)
	}
	if s.by.instance == nil || got.late {
		return nil
	}
	after, err := s.by.status()
	if err != nil {
		return err
	}
	if n := after.Verdicts[caught] - before.Verdicts[caught]; n < 1 {
		return fmt.Errorf("the guard has not noticed: %d more of %s, %d names learned",
			n, caught, got.learned)
	}
	if all := refusals * a.sessions; got.refused < all {
		return fmt.Errorf("the client is blocked, and was refused %d times only, want %d; "+
			"%d names learned", got.refused, all, got.learned)
	}
	return nil
}

// mailServers returns the targets.
func (l *bench) mailServers() (servers []mailServer) {
	bare := l.sendmailSite("dictionary-bare", "")
	under := func(argv ...string) func() *daemon {
		return func() *daemon { return l.inetd(argv...) }
	}
	const limited = "-OMaxRecipientsPerMessage=10"
	servers = []mailServer{
		{name: bareSendmail, start: under(bs(bare)...)},
		{name: throttled, start: under(append(bs(bare), "-O"+throttled, limited)...)},
		{name: shutting, start: under(append(bs(bare), "-O"+shutting, limited)...)},
	}
	// The configuration of sendmail names the guard's socket, and that of sendwrap the
	// configuration of sendmail.
	const name = "dictionary"
	site := l.sendmailSite(name+"-guarded", l.socket(name))
	g := l.guarded(name, "", "mta "+strings.Join(bs(site), " "), "greet_delay 0s")
	servers = append(servers, mailServer{name: ours, by: g, start: under(g.program, "-f", g.conf)})
	if lab.NoPostfix() != "" {
		return servers
	}
	p := l.smtpd("postfix-dictionary")
	pg := l.guarded("dictionary-postfix", lab.PostfixUser)
	guarding := l.smtpd("postfix-dictionary-guarded", pg.milters()...)
	return append(servers, mailServer{name: barePostfix, at: p},
		mailServer{name: guardsPostfix, by: pg, at: guarding})
}
