package admin

import (
	"fmt"
	"io"
	"math"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
)

// listReport is how a list of DNS behaves. It never has the zone, which may hold a key.
type listReport struct {
	Name    string `json:"name"`
	Asked   uint64 `json:"asked"` // about how many addresses
	Listed  uint64 `json:"listed"`
	Failed  uint64 `json:"failed"`  // did not answer, while others did
	Tested  bool   `json:"tested"`  // it has passed its last test
	Aside   int    `json:"aside"`   // seconds for which it is set aside; 0 = it is not
	Unheard int    `json:"unheard"` // seconds for which DNS has answered nothing; 0 = it answers
	Why     string `json:"why,omitempty"`
}

// lookupReport is how much is remembered of what DNS has said.
type lookupReport struct {
	Kept int `json:"kept"`
	Room int `json:"room"`
}

// addLists adds the lists of the configuration, and counts what is remembered.
func (r *report) addLists(l *ledger.Ledger, cfg *config.Config) error {
	behavior := make([]ledger.List, len(cfg.Lists))
	if l != nil {
		zones := make([]string, len(cfg.Lists))
		for i := range cfg.Lists {
			zones[i] = cfg.Lists[i].Zone
		}
		var err error
		if behavior, err = l.Lists(ledger.Now(), zones); err != nil {
			return err
		}
		if r.Lookups.Kept, r.Lookups.Room, err = l.CountLookups(ledger.Now()); err != nil {
			return err
		}
	}
	for i, b := range behavior {
		one := listReport{
			Name: cfg.Lists[i].Name, Asked: b.Asked, Listed: b.Listed, Failed: b.Failed,
			Tested: b.Tested, Aside: int(b.Aside.Seconds()),
			Unheard: int(math.Ceil(b.Unheard.Seconds())),
		}
		if b.Aside > 0 {
			one.Why = b.Why
		}
		r.Lists = append(r.Lists, one)
	}
	return nil
}

// printLists prints a line for each list, and for those that are set aside why they are.
func (r *report) printLists(w io.Writer, cfg *config.Config) {
	if len(r.Lists) > 0 {
		fmt.Fprintf(w, "\nlists\tasked\tlisted\tfailed\n")
	}
	for i := range r.Lists {
		l := &r.Lists[i]
		state := l.state()
		if state != "" {
			state = "\t" + state
		}
		fmt.Fprintf(w, "  %s\t%d\t%d\t%d%s\n", l.Name, l.Asked, l.Listed, l.Failed, state)
	}
	for i := range r.Lists {
		if l := &r.Lists[i]; l.Aside > 0 {
			fmt.Fprintf(w, "  %s %s\n", l.Name, dnsbl.Meaning(l.Why))
		}
	}
	if left := r.unheard(); left > 0 {
		fmt.Fprintf(w, "  DNS has answered nothing for %s; `sendwrap check` tries each resolver\n",
			decide.Seconds(time.Duration(left)*time.Second))
	}
	if len(r.Lists) > 0 || cfg.Policy().HasNames() {
		fmt.Fprintf(w, "lookups\t%d of %d kept\n", r.Lookups.Kept, r.Lookups.Room)
	}
}

// unheard is for how many seconds DNS has answered nothing about any list; 0 = it has.
func (r *report) unheard() (seconds int) {
	for i := range r.Lists {
		switch l := &r.Lists[i]; {
		case l.Aside > 0:
		case l.Unheard == 0:
			return 0
		case seconds == 0 || l.Unheard < seconds:
			seconds = l.Unheard
		}
	}
	return seconds
}

// state says whether the list counts.
func (l *listReport) state() string {
	switch {
	case l.Aside > 0:
		left := decide.Seconds(time.Duration(l.Aside) * time.Second)
		return "set aside for another " + left + ": " + l.Why
	case !l.Tested:
		return "not tested yet"
	}
	return ""
}
