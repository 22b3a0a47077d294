package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sendwrap/tests/lab"
)

// siege is an attack on a door, while known clients want in.
type siege struct {
	what      string
	doors     []string      // eachItsOwn, theRoom, postscreen
	conf      []string      // directives of sendwrap.conf
	clients   int           // that the ledger is for; 0 = the default
	delay     time.Duration // of the greeting; 0 = floodDelay
	postfix   []string      // parameters of postconf(5)
	newcomers bool          // come as well, and are counted
	// begin returns when the attack is under way.
	begin func(l *bench, d door) under
}

// under is an attack that is under way.
type under struct {
	who    string     // the attackers, of whom there are several at a time
	meant  int        // how many
	number func() int // how many there are
	done   func() int // what they have done up to now
	unit   string     // of that, for a second
	notes  func() string
	stop   func() error
}

// besiege measures a siege at all of its doors, and puts a row for each.
func (l *bench) besiege(name string, s siege) {
	for _, at := range s.doors {
		if why := lackOf(at); why != "" {
			l.put(row{What: s.what + ": " + at, Skipped: why})
			continue
		}
		programs := []string{ours}
		if l.before && at != postscreen {
			programs = append(programs, olderProgram)
		}
		for _, program := range programs {
			l.part(s.what+": "+doorName(at, program), func() {
				check(l.late())
				d := l.open(fmt.Sprintf("flood-%s-%d", name, len(l.daemons)), at, program, s)
				defer func() { _ = d.at.stop() }() // if it has failed
				b := l.underSiege(s, d)
				err := d.closed()
				if d.instance != nil && err == nil {
					b.NoLimits = must(d.instance.status()).Open
				}
				l.put(row{What: s.what + ": " + d.name, Siege: &b})
				check(err)
			})
		}
	}
}

func lackOf(door string) string {
	switch {
	case door == postscreen:
		return lab.NoPostfix()
	case door == eachItsOwn && lab.Find(inetd) == "":
		return lab.Missing(inetd)
	}
	return ""
}

// doorName is what the table calls the door of a program.
func doorName(at, program string) string {
	if program == olderProgram {
		return at + ", before"
	}
	return at
}

// open starts the program of a door. Its limits are the defaults.
func (l *bench) open(name, at, program string, s siege) door {
	if at == postscreen {
		return l.postscreenDoor(name, s.postfix...)
	}
	i := l.instanceFor(cmp.Or(s.clients, ledgerSize), name, append([]string{
		"mta " + l.program("stub-stays"),
		fmt.Sprintf("greet_delay %v stress=%[1]v", cmp.Or(s.delay, floodDelay)),
	}, s.conf...)...)
	i.program = l.program(program)
	start := l.roomDoor
	if at == eachItsOwn {
		start = l.eachDoor
	}
	d := start(i)
	d.name = doorName(at, program)
	return d
}

// underSiege measures one door: without the attacker, then with it.
func (l *bench) underSiege(s siege, d door) besieged {
	n := knowns * l.rounds
	b := besieged{Attack: s.what, Door: d.name, Ours: d.instance != nil}
	check(d.known())
	every := must(d.pace())
	come := func() ([]greeting, error) { return d.knocks(n, every, knownFrom, knowns, patience) }
	b.Without = greetingsOf(must(d.judged("KNOWN", n, come)))
	attack := s.begin(l, d)
	stop := sync.OnceValue(attack.stop)
	defer stop()
	watch := newWatch(attack)
	var all sync.WaitGroup
	var fresh []greeting
	var failed error
	if s.newcomers {
		all.Go(func() {
			fresh, failed = d.knocks(knowns, every, newFrom, knowns, floodDelay+patience)
		})
	}
	known, err := come()
	all.Wait()
	b.Attackers = watch.ends()
	check(errors.Join(err, failed, stop()))
	b.With = greetingsOf(known)
	if s.newcomers {
		b.Newcomers = new(greetings)
		*b.Newcomers = greetingsOf(fresh)
	}
	return b
}

// watch counts the attackers while clients come.
type watch struct {
	attack under
	began  time.Time
	before int
	quit   chan struct{}
	least  chan int
}

func newWatch(attack under) *watch {
	w := &watch{attack, time.Now(), attack.done(), make(chan struct{}), make(chan int)}
	go func() {
		least := attack.number()
		for {
			select {
			case <-w.quit:
				w.least <- least
				return
			case <-time.After(10 * time.Millisecond):
				least = min(least, attack.number())
			}
		}
	}()
	return w
}

// ends returns what the watch has seen.
func (w *watch) ends() string {
	close(w.quit)
	least, took := <-w.least, time.Since(w.began)
	text := fmt.Sprintf("%d %s", w.attack.meant, w.attack.who)
	if least < w.attack.meant {
		text = fmt.Sprintf("%d of %s", least, text)
	}
	if w.attack.unit != "" {
		rate := float64(w.attack.done()-w.before) / took.Seconds()
		text += fmt.Sprintf(", %s %s a second", figures(rate), w.attack.unit)
	}
	if w.attack.notes != nil {
		text += ", " + w.attack.notes()
	}
	return text
}

// greetings sum up what clients have heard.
type greetings struct {
	Clients int            `json:"clients"`
	Greeted int            `json:"greeted"`
	Median  float64        `json:"median"` // ms, of those that were greeted
	Worst   float64        `json:"worst"`
	Others  map[string]int `json:"others,omitempty"` // what the others heard
}

func greetingsOf(heard []greeting) greetings {
	g := greetings{Clients: len(heard), Others: make(map[string]int)}
	var took []float64
	for _, h := range heard {
		if h.greeted() {
			took = append(took, ms(h.took))
			continue
		}
		g.Others[h.code()]++
	}
	if g.Greeted = len(took); g.Greeted > 0 {
		g.Median, g.Worst = median(took), slices.Max(took)
	}
	return g
}

// code is the short form of the reply to a client that was not greeted: reply code and enhanced
// code.
func (g greeting) code() string {
	field := strings.Fields(g.reply)
	switch {
	case g.reply == errNoAnswer.Error():
		return "nothing"
	case len(field) == 0:
		return "end of the connection"
	case len(field) > 1 && strings.Count(field[1], ".") == 2:
		return field[0] + " " + field[1]
	}
	return field[0]
}

// share is the part of the clients that was greeted, never 100 % for less than all.
func (g greetings) share() string {
	if g.Clients == 0 {
		return ""
	}
	return fmt.Sprintf("%d %%", 100*g.Greeted/g.Clients)
}

// others lists the replies to clients that were not greeted.
func (g greetings) others() string {
	var all []string
	for _, code := range slices.Sorted(maps.Keys(g.Others)) {
		all = append(all, fmt.Sprintf("%s (%d)", code, g.Others[code]))
	}
	return strings.Join(all, ", ")
}
