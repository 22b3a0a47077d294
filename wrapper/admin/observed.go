package admin

import (
	"fmt"
	"io"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// observedReport is how often a verdict refused nobody, since it is observed, and after how many of
// these the network sent mail, as guards have seen.
type observedReport struct {
	Count     uint64 `json:"count"`
	Delivered uint64 `json:"delivered"`
}

// addObserved adds the verdicts that were observed.
func (r *report) addObserved(n *ledger.Totals) {
	r.Observed = map[string]observedReport{}
	for _, v := range decide.Verdicts() {
		if o := n.Observed[v]; o.Counted > 0 {
			r.Observed[v.String()] = observedReport{o.Counted, o.Delivered}
		}
	}
}

// printObserved prints them, if there are any.
func (r *report) printObserved(w io.Writer, cfg *config.Config) {
	if len(r.Observed) == 0 {
		return
	}
	fmt.Fprintf(w, "\nobserved\twould be refused\tthen sent mail\n")
	for _, v := range decide.Verdicts() {
		if o, found := r.Observed[v.String()]; found {
			fmt.Fprintf(w, "  %v\t%d\t%d\n", v, o.Count, o.Delivered)
		}
	}
	if !r.Guard && cfg.Observes() {
		fmt.Fprintf(w, "  no guard runs: nothing sees which clients send mail\n")
	}
}
