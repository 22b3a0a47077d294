package admin

import (
	"fmt"
	"io"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// recentReport is what was counted in the last hour.
type recentReport struct {
	Since    *time.Time        `json:"since"` // nil = not known
	Verdicts map[string]uint64 `json:"verdicts"`
}

// troubleReport counts what went wrong on our side, by [ledger.Trouble], and "unrecorded".
type troubleReport map[string]uint64

// evictedReport counts networks that made room for others, by [ledger.Eviction].
type evictedReport map[string]uint64

const unrecorded = "unrecorded"

// addCounts adds what is counted besides verdicts.
func (r *report) addCounts(n *ledger.Totals) {
	r.Since, r.Recent.Since = momentOf(n.Since), momentOf(n.Recent.Since)
	r.Recent.Verdicts = map[string]uint64{}
	for _, v := range decide.Verdicts() {
		r.Recent.Verdicts[v.String()] = n.Recent.Verdicts[v]
	}
	r.Trouble = troubleReport{unrecorded: n.Unrecorded}
	for _, t := range ledger.Troubles() {
		r.Trouble[t.String()] = n.Troubles[t]
	}
	r.Evicted = evictedReport{}
	for _, e := range ledger.Evictions() {
		r.Evicted[e.String()] = n.Evicted[e]
	}
}

// momentOf is a time as programs read it: whole seconds, nil for none.
func momentOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.Truncate(time.Second)
	return &t
}

// modeMeans says what becomes of clients.
func modeMeans(s *policy.Settings) string {
	switch {
	case s.Mode == policy.Observe:
		return "verdicts are logged and counted, and nobody is refused"
	case s.Observes():
		return "clients are refused as the verdicts say, but not by observed lines"
	}
	return "clients are refused as the verdicts say"
}

// printVerdicts prints how often each verdict was given, in all and in the last hour.
func (r *report) printVerdicts(w io.Writer) {
	if r.Since != nil {
		fmt.Fprintf(w, "counted\tsince %s\n", r.Since.Local().Format(time.DateTime))
	}
	lately := r.Recent.Since != nil
	since := ""
	if lately {
		since = "\t\tsince " + r.Recent.Since.Local().Format("15:04")
	}
	fmt.Fprintf(w, "\nverdicts so far%s\n", since)
	for _, v := range decide.Verdicts() {
		fmt.Fprintf(w, "  %v\t%d", v, r.Verdicts[v.String()])
		if lately {
			fmt.Fprintf(w, "\t%d", r.Recent.Verdicts[v.String()])
		}
		fmt.Fprintln(w)
	}
}

// printTroubles prints what went wrong on our side, if anything did.
func (r *report) printTroubles(w io.Writer) {
	for _, line := range []struct{ key, text string }{
		{ledger.Unseen.String(), "that could not be seen, and counted as quiet"},
		{ledger.DNSSilent.String(), "without an answer of DNS: lists and names did not count"},
		{unrecorded, "without a record: the ledger is full of live sessions and blocks"},
		{ledger.WideUncounted.String(), "that a wide network could not count"},
		{ledger.RulesUnread.String(), "whose rules for names could not be read, and did not hold"},
		{ledger.Unwritten.String(), "whose offence could not be written"},
		{ledger.NoDescriptor.String(), "refused, since no descriptor was free"},
		{ledger.Unlogged.String(), "whose line in the log is lost"},
		{ledger.KnownRefused.String(), "that were known, and were refused"},
	} {
		if n := r.Trouble[line.key]; n > 0 {
			fmt.Fprintf(w, "  trouble\t%d %s\n", n, line.text)
		}
	}
	if e := r.Evicted; e["known"] > 0 || e["block"] > 0 {
		fmt.Fprintf(w, "  forgotten\t%d known networks and %d blocks, to make room; "+
			"raise clients=\n", e["known"], e["block"])
	}
}
