package admin

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/resolve"
)

// hearing is what check hears from DNS about a client.
type hearing struct {
	client netip.Addr
	*wrapper.Hearsay
	lookup *lookup.Lookup // nil = DNS is not asked
	took   time.Duration
}

// hear asks DNS about all clients at once, if it may. Without lists and names there is no Hearsay.
func (c *call) hear(d *configured, clients []netip.Addr, ask bool) (all []*hearing) {
	for _, client := range clients {
		h, err := d.Hearsay(client)
		if err != nil {
			fmt.Fprintf(c.stderr, "sendwrap: %v; which lists are set aside is not known\n", err)
		}
		all = append(all, &hearing{client: client, Hearsay: h})
	}
	if !ask {
		return all
	}
	began := time.Now()
	r := resolve.New(d.Policy.Resolvers)
	defer r.Close()
	left := 0
	for _, h := range all {
		if h.Hearsay == nil {
			continue
		}
		h.Request.Until = began.Add(dnsTime)
		h.lookup = lookup.Start(r, h.Request, func() {
			if h.lookup.Done() {
				h.took = time.Since(began)
				left--
			}
		})
		if !h.lookup.Done() {
			left++
		}
	}
	await([]*resolve.Resolver{r}, began.Add(dnsTime+time.Second), func() bool { return left == 0 })
	for _, h := range all {
		if h.lookup != nil {
			h.Result = h.lookup.Result()
			h.Result.Settle()
		}
	}
	return all
}

// print says what DNS has said, list by list, and what is remembered.
func (h *hearing) print(out io.Writer, d *configured) {
	if h.Hearsay == nil || len(h.Request.Lists) == 0 && !h.Request.Names {
		return
	}
	if h.lookup != nil {
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		fmt.Fprintf(w, "DNS, in %s\tweight\tholds\tanswer\n", milliseconds(h.took))
		for i := range h.Request.Lists {
			h.printList(w, i, d.Policy.DNSBLTTL)
		}
		h.printSum(w, d)
		h.printNames(w)
		w.Flush()
		h.printWhy(out)
	}
	switch {
	case h.IsRemembered():
		fmt.Fprintf(out, "remembered for another %s, so clients do not ask DNS: %s\n",
			decide.Seconds(h.Left), resultText(h.Request.Lists, &h.Remembered))
	case h.lookup == nil:
		fmt.Fprintln(out, "DNS was not asked, and nothing is remembered")
	}
}

// printList prints a list: its name, what its answer adds to the score, for how long the answer
// holds here, and the answer.
func (h *hearing) printList(w io.Writer, i int, ttl policy.TTL) {
	l, says, health := &h.Request.Lists[i], h.lookup.Answer(i), h.lookup.Health(i)
	weight, holds := "", ""
	if says.Result == resolve.Found && health.Listed {
		weight = fmt.Sprintf("%+d", l.Weight(says.Addrs))
	}
	if weight != "" || says.Result == resolve.NotFound {
		holds = decide.Seconds(max(ttl.Min, min(ttl.Max, says.TTL)))
	}
	fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", l.Name, weight, holds,
		answerText(says, health, h.Behavior[i]))
}

// answerText is what a list has answered, or why its answer does not count.
func answerText(says resolve.Answer, health lookup.Health, b ledger.List) string {
	switch {
	case b.Aside > 0:
		return asideText(b)
	case health.Test == lookup.Failed && health.Why != dnsbl.NoAnswer:
		return "does not count: " + health.Why
	}
	switch says.Result {
	case resolve.Found:
		text := addresses(says.Addrs)
		if !health.Listed {
			text += " does not count: the list has not passed its test"
		}
		return text
	case resolve.NotFound:
		return "not listed"
	case resolve.Refused:
		return "refused: the list, or the resolver, does not serve us"
	case resolve.Failed:
		return "no answer: the resolver reports a failure"
	}
	return "no answer"
}

// asideText says that a list is set aside, and why.
func asideText(b ledger.List) string {
	return "set aside for another " + decide.Seconds(b.Aside) + ": " + b.Why
}

// printWhy says of the lists that do not count what to do.
func (h *hearing) printWhy(out io.Writer) {
	for i := range h.Request.Lists {
		why := h.Behavior[i].Why
		if health := h.lookup.Health(i); h.Behavior[i].Aside <= 0 {
			if why = health.Why; health.Test != lookup.Failed || why == dnsbl.NoAnswer {
				continue
			}
		}
		fmt.Fprintf(out, "  %s %s\n", h.Request.Lists[i].Name, dnsbl.Meaning(why))
	}
}

// printSum prints the score beside what it is compared with.
func (h *hearing) printSum(w io.Writer, d *configured) {
	if p := d.Policy; len(h.Request.Lists) > 0 {
		ttl := h.lookup.TTL(p.DNSBLTTL.Min, p.DNSBLTTL.Max)
		fmt.Fprintf(w, "  sum\t%d\t%s\tdnsbl_threshold %d, dnsbl_welcome %d\n",
			h.Result.Score.Sum, decide.Seconds(ttl), p.DNSBLThreshold, p.DNSBLWelcome)
	}
}

func (h *hearing) printNames(w io.Writer) {
	if !h.Request.Names {
		return
	}
	claimed := h.lookup.Claimed()
	if len(claimed) == 0 {
		fmt.Fprintf(w, "  name\t\t\tnone\n")
	}
	for _, n := range claimed {
		text := n.Name
		if !n.Confirmed {
			text += " does not count: its own addresses do not confirm it"
		}
		fmt.Fprintf(w, "  name\t\t\t%s\n", text)
	}
}

// resultText is a result in one line.
func resultText(lists []dnsbl.List, r *lookup.Result) string {
	var parts []string
	if len(lists) > 0 {
		text := fmt.Sprintf("score %d", r.Score.Sum)
		if len(r.Hits) > 0 {
			text += " (" + wrapper.HitsText(lists, r.Hits) + ")"
		}
		parts = append(parts, text)
	}
	if len(r.Names) > 0 {
		parts = append(parts, "name "+strings.Join(r.Names, ", "))
	}
	if len(parts) == 0 {
		return "no name"
	}
	return strings.Join(parts, "; ")
}

func addresses(all []netip.Addr) string {
	var words []string
	for _, a := range all {
		words = append(words, a.String())
	}
	return strings.Join(words, ",")
}

// milliseconds is how long something took that mostly takes milliseconds.
func milliseconds(d time.Duration) string {
	return rule.FormatDuration(max(d.Round(time.Millisecond), time.Millisecond))
}
