package main

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sendwrap/tests/lab"
)

const (
	// guesses is the number of names in the dictionary; one of every validOne is valid.
	// quickGuesses is for a trial.
	guesses      = 200
	quickGuesses = 40
	validOne     = 20

	// firstValid is the index of the first valid name: early enough for a short attack to find it.
	firstValid = 5

	// refusals in a row end a session of the attack: it will not be let in for long.
	refusals = 3
)

// guess is a name of the dictionary.
type guess struct {
	name  string
	valid bool // which the attacker does not know
}

// dictionary is what the sessions of an attack share: names still to be tried, and what has been
// learned.
type dictionary struct {
	mu      sync.Mutex
	left    []guess
	learned int // names of which is known whether they are valid
	valid   int // and that are
}

// guessable returns n names of the dictionary, the valid ones spread evenly.
func guessable(n int) (all []guess) {
	for i := range n {
		all = append(all, guess{nameOf(i), i%validOne == firstValid})
	}
	return all
}

// validNames are those that a mail server must know.
func validNames() (all []string) {
	for _, g := range guessable(guesses) {
		if g.valid {
			all = append(all, g.name)
		}
	}
	return all
}

func nameOf(i int) string { return fmt.Sprintf("name%03d", i) }

func newDictionary(n int) *dictionary { return &dictionary{left: guessable(n)} }

// next takes a name that nobody tries yet; false if there is none.
func (d *dictionary) next() (guess, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.left) == 0 {
		return guess{}, false
	}
	g := d.left[0]
	d.left = d.left[1:]
	return g, true
}

// tried notes what the reply to a name tells: 250 that it is valid, 550 that it is not; after any
// other reply it must be tried again. A reply that lies is an error: then this is not the attack
// that it is meant to be.
func (d *dictionary) tried(g guess, reply string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	yes, no := strings.HasPrefix(reply, "250"), strings.HasPrefix(reply, "550")
	switch {
	case yes != g.valid && (yes || no):
		return fmt.Errorf("%s is valid: %v, and the reply is %q", g.name, g.valid, reply)
	case yes:
		d.learned++
		d.valid++
	case no:
		d.learned++
	default:
		d.left = append([]guess{g}, d.left...)
	}
	return nil
}

// attack is a way to go through a dictionary.
type attack struct {
	name     string
	names    int  // in the dictionary
	sessions int  // at once
	envelope int  // names in one; RSET follows
	alone    bool // a connection for each envelope
}

// attacks are those that mail administrators report, with a dictionary of that many names.
func attacks(names int) []attack {
	return []attack{
		{name: "all in one envelope", names: names, sessions: 1, envelope: names},
		{name: "2 an envelope, RSET", names: names, sessions: 1, envelope: 2},
		{name: "1 a connection", names: names, sessions: 1, envelope: 1, alone: true},
		{name: "20 sessions, 2 an envelope", names: names, sessions: 20, envelope: 2},
	}
}

// tally is what an attack has brought, and what it has cost.
type tally struct {
	learned, valid int
	connections    int
	refused        int           // of them, without a greeting
	late           bool          // ended by the time limit, with names left
	took           time.Duration // from the first connect to the last close
	held           time.Duration // by all connections together: each had a process of the server
	cpu            time.Duration // of the server's processes, the guard included
}

// attacker is one attack as it goes on.
type attacker struct {
	attack
	from  netip.Addr
	to    netip.AddrPort
	until time.Time
	words *dictionary

	mu    sync.Mutex
	tally tally
	err   error // the first
}

// run goes through the dictionary, all from one address. When a connection ends the next one goes
// on with it, until there are no names left, the time is up, or each session was refused several
// times in a row.
func (a attack) run(from netip.Addr, to netip.AddrPort, limit time.Duration) (tally, error) {
	began := time.Now()
	on := &attacker{attack: a, from: from, to: to, until: began.Add(limit)}
	on.words = newDictionary(a.names)
	var all sync.WaitGroup
	for range a.sessions {
		all.Go(on.session)
	}
	all.Wait()
	l := on.tally
	l.took = time.Since(began)
	l.learned, l.valid = on.words.learned, on.words.valid
	l.late = len(on.words.left) > 0 && time.Now().After(on.until)
	return l, on.err
}

// session connects again and again.
func (a *attacker) session() {
	for inARow := 0; inARow < refusals && !a.done(); {
		greeted, err := a.connection()
		inARow++
		if greeted {
			inARow = 0
		}
		if err != nil {
			a.mu.Lock()
			if a.err == nil {
				a.err = err
			}
			a.mu.Unlock()
			return
		}
	}
}

// done reports whether nothing is left to do.
func (a *attacker) done() bool {
	a.words.mu.Lock()
	defer a.words.mu.Unlock()
	return len(a.words.left) == 0 || time.Now().After(a.until)
}

// connection makes one connection and stays until the server ends it or nothing is left to do.
func (a *attacker) connection() (greeted bool, err error) {
	began := time.Now()
	c, err := dial(a.from, a.to)
	if err != nil {
		return false, err
	}
	defer c.close()
	greeted = a.ask(c, "", "220") && a.ask(c, "HELO bot.example", "250")
	for on := greeted; on && !a.done(); {
		if on, err = a.fill(c); err != nil {
			return greeted, err
		}
		on = on && !a.alone
	}
	_ = c.write("QUIT\r\n") // to nobody, if the server has gone
	_, err = c.rest()       // the server's process ends then
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tally.connections++
	a.tally.held += time.Since(began)
	if !greeted {
		a.tally.refused++
	}
	return greeted, err
}

// fill tries names in one envelope. The connection goes on if on.
func (a *attacker) fill(c *client) (on bool, err error) {
	if !a.ask(c, "MAIL FROM:<x@bot.example>", "250") {
		return false, nil
	}
	for n := 0; n < a.envelope && time.Now().Before(a.until); n++ {
		g, ok := a.words.next()
		if !ok {
			break
		}
		reply := say(c, "RCPT TO:<"+g.name+"@"+lab.HostName+">")
		if err := a.words.tried(g, reply); err != nil {
			return false, err
		}
		if reply == "" || strings.HasPrefix(reply, "421") {
			return false, nil
		}
		if strings.HasPrefix(reply, "4") { // no more of them
			break
		}
	}
	return a.alone || a.ask(c, "RSET", "250"), nil
}

// ask says a line, "" for none, and tells whether the reply begins as it should.
func (a *attacker) ask(c *client, line, want string) bool {
	return strings.HasPrefix(say(c, line), want)
}

// say says a line, "" for none, and returns the reply; "" if the server has ended the connection.
func say(c *client, line string) string {
	if line != "" && c.write(line+"\r\n") != nil {
		return ""
	}
	reply, err := c.reply()
	if err != nil {
		return ""
	}
	return reply
}
