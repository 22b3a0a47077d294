package admin

import (
	"fmt"
	"io"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
)

// listReport is how a list of DNS behaves. It never has the zone, which may hold a key.
type listReport struct {
	Name   string `json:"name"`
	Asked  uint64 `json:"asked"` // about how many addresses
	Listed uint64 `json:"listed"`
	Failed uint64 `json:"failed"` // did not answer
	Tested bool   `json:"tested"` // it has passed its last test
	Aside  int    `json:"aside"`  // seconds for which it is set aside; 0 = it is not
	Why    string `json:"why,omitempty"`
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
	if len(r.Lists) > 0 || cfg.Networks.HasNames() {
		fmt.Fprintf(w, "lookups\t%d of %d kept\n", r.Lookups.Kept, r.Lookups.Room)
	}
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
