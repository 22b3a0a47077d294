package admin

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"text/tabwriter"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/policy"
)

// check reports whether the configuration is right and, for each address, which test of the
// decision would decide.
func check(c *call) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	noDNS := flags.Bool("n", false, "")
	if err := c.parse(flags, 0, 1000); err != nil {
		return err
	}
	clients, err := c.clients()
	if err != nil {
		return err
	}
	cfg, mistakes, err := c.config()
	if err != nil {
		return err
	}
	f := &findings{config: cfg}
	f.ask()
	d := &configured{&wrapper.Door{Policy: cfg.Policy()}, cfg}
	if len(clients) == 0 {
		f.note("remember_after", c.guardNote(d))
		f.notes = append(f.notes, mapNotes(cfg)...)
		for _, note := range f.notes {
			fmt.Fprintf(c.stderr, "note: %s\n", note)
		}
	}
	for _, err := range f.mistakes {
		fmt.Fprintln(c.stderr, err)
	}
	if len(clients) > 0 {
		if err := c.openExisting(d); err != nil {
			fmt.Fprintf(c.stderr, "sendwrap: %v; shown as without a ledger\n", err)
		}
		for _, h := range c.hear(d, clients, !*noDNS) {
			if err := c.explain(d, h); err != nil {
				return err
			}
		}
	}
	if mistakes += len(f.mistakes); mistakes > 0 {
		if len(clients) == 0 {
			c.printAgreement(cfg)
			c.printQuick(cfg)
		}
		fmt.Fprintf(c.stderr, "%s\n", plural(mistakes, "error"))
		return errReported
	}
	if len(clients) == 0 {
		if !*noDNS {
			c.testDNS(d)
		}
		observes := ""
		if cfg.Mode == policy.Observe {
			observes = ", mode observe: no client is refused"
		}
		fmt.Fprintf(c.stdout, "ok: %s, %s%s%s\n", c.file,
			networksAndNames(cfg.Networks.Len(), cfg.Networks.CountNames()),
			entriesText(cfg.AccessMap, keys(cfg)), observes)
		c.printAgreement(cfg)
		c.printQuick(cfg)
	}
	return nil
}

// clients are the addresses that the arguments name.
func (c *call) clients() (all []netip.Addr, err error) {
	for _, arg := range c.args {
		client, err := address(arg)
		if err != nil {
			if info, statErr := os.Stat(arg); statErr == nil && info.Mode().IsRegular() {
				err = UsageError(fmt.Sprintf("%q is not an address; write sendwrap check -f %s",
					arg, arg))
			}
			return nil, err
		}
		all = append(all, client)
	}
	return all, nil
}

// explain prints each test with what it found, marks the one that decides, and prints the verdict
// on a line of its own.
func (c *call) explain(d *configured, h *hearing) error {
	client := h.client
	steps, verdict, facts, err := d.Explain(client, h.Hearsay)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%v, counted as %v\n", client, d.Network(client))
	w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
	for i, s := range steps {
		mark := " "
		if s.Decides {
			mark = ">"
		}
		found := folded(s.Found)
		fmt.Fprintf(w, "%s %d\t%s\t%s\n", mark, i+1, s.Test, found[0])
		for _, more := range found[1:] {
			fmt.Fprintf(w, "\t\t%s\n", more)
		}
	}
	w.Flush()
	c.printMap(d, h)
	h.print(c.stdout, d)
	if d.Config.Mode == policy.Observe {
		fmt.Fprintln(c.stdout, "mode observe: whatever the verdict, it gets the MTA")
	}
	if says := droppedText(client, verdict); says != "" {
		fmt.Fprintln(c.stdout, says)
	}
	if verdict == decide.Pass {
		fmt.Fprintf(c.stdout, "verdict: %v after %s\n",
			verdict, rule.FormatDuration(facts.Delay()))
	} else {
		fmt.Fprintf(c.stdout, "verdict: %v\n", verdict)
	}
	return nil
}

// networksAndNames says how many networks and names a configuration has.
func networksAndNames(networks, names int) string {
	if names == 0 {
		return plural(networks, "network")
	}
	return plural(networks, "network") + ", " + plural(names, "name")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
