package admin

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// check says whether the configuration is right and, for each address, which test of
// the decision would decide.
func check(c *call) error {
	if err := c.parse(flag.NewFlagSet("check", flag.ContinueOnError), 0, 1000); err != nil {
		return err
	}
	var clients []netip.Addr
	for _, arg := range c.args {
		client, err := address(arg)
		if info, missing := os.Stat(arg); err != nil && missing == nil && info.Mode().IsRegular() {
			return usageError(fmt.Sprintf("%q is not an address; write sendwrap check -f %s", arg, arg))
		} else if err != nil {
			return err
		}
		clients = append(clients, client)
	}
	cfg, wrong, err := c.config()
	if err != nil {
		return err
	}
	if why := startable("mta", cfg.MTA[0]); why != nil {
		fmt.Fprintf(c.stderr, "%s: mta: %v\n", cfg.Place("mta"), why)
		wrong++
	} else if why := wrapper.Unfit(cfg.MTA); why != nil {
		fmt.Fprintf(c.stderr, "%s: mta: %v\n", cfg.Place("mta"), why)
		wrong++
	} else if note := cmp.Or(shellNote(cfg.MTA), eximNote(cfg.MTA), submitNote(cfg.MTA)); note != "" {
		fmt.Fprintf(c.stderr, "note: %s: mta: %s\n", cfg.Place("mta"), note)
	}
	for _, note := range networkNotes(cfg.Networks) {
		fmt.Fprintf(c.stderr, "note: %s\n", note)
	}
	for _, note := range distrusted(cfg) {
		fmt.Fprintf(c.stderr, "note: %s\n", note)
	}
	if err := ledger.Check(cfg.Ledger.Path); errors.Is(err, ledger.ErrUnseen) {
		fmt.Fprintf(c.stderr, "note: ledger: %v\n", err)
	} else if err != nil {
		fmt.Fprintf(c.stderr, "%s: ledger: %v\n", cfg.Place("ledger"), err)
		wrong++
	}
	if note := crowded(cfg); note != "" {
		fmt.Fprintf(c.stderr, "note: ledger: %s\n", note)
	}
	if note := localWaits(cfg); note != "" && len(c.args) == 0 {
		fmt.Fprintf(c.stderr, "note: allow: %s\n", note)
	}
	if len(c.args) == 0 {
		for _, note := range surroundings(cfg) {
			fmt.Fprintf(c.stderr, "note: %s\n", note)
		}
	}
	for _, why := range unusable(cfg) {
		fmt.Fprintln(c.stderr, why)
		wrong++
	}
	if len(c.args) > 0 {
		d := &wrapper.Door{Config: cfg}
		if err := c.openExisting(d); err != nil {
			fmt.Fprintf(c.stderr, "sendwrap: %v; shown as without a ledger\n", err)
		}
		for _, client := range clients {
			if err := c.explain(d, client); err != nil {
				return err
			}
		}
	}
	if wrong > 0 {
		fmt.Fprintf(c.stderr, "%s\n", plural(wrong, "error"))
		return errSaid
	}
	if len(c.args) == 0 {
		observes := ""
		if cfg.Mode == config.Observe {
			observes = ", mode observe: no client is refused"
		}
		fmt.Fprintf(c.stdout, "ok: %s, %s%s\n", c.file, plural(cfg.Networks.Len(), "network"), observes)
	}
	return nil
}

// explain prints each test with what it found, the one that decides marked, and the
// verdict on a line of its own.
func (c *call) explain(d *wrapper.Door, client netip.Addr) error {
	steps, verdict, facts, err := d.Explain(client)
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
		fmt.Fprintf(w, "%s %d\t%s\t%s\n", mark, i+1, s.Test, s.Found)
	}
	w.Flush()
	if d.Config.Mode == config.Observe {
		fmt.Fprintln(c.stdout, "mode observe: whatever the verdict, it gets the MTA")
	}
	if says := firewall(client, verdict); says != "" {
		fmt.Fprintln(c.stdout, says)
	}
	if verdict == decide.Pass {
		fmt.Fprintf(c.stdout, "verdict: %v after %s\n", verdict, config.FormatDuration(facts.Delay()))
	} else {
		fmt.Fprintf(c.stdout, "verdict: %v\n", verdict)
	}
	return nil
}

// startable says why the program of a directive could not be started, and what to write.
func startable(directive, program string) error {
	err := runnable(program)
	switch {
	case err == nil:
		return nil
	case isLine(program):
		return fmt.Errorf("%w: the quotes make it one word; leave them out", err)
	}
	return fmt.Errorf("%w; write %s PROGRAM ARG..., with the path of a program", err, directive)
}

// runnable says why a program could not be started.
func runnable(program string) error {
	info, err := os.Stat(program)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("no such file %q", program)
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return fmt.Errorf("%q is not a program", program)
	}
	return nil
}

// isLine says whether a word is a program and its arguments, which quotes have made one.
func isLine(word string) bool {
	first, _, several := strings.Cut(word, " ")
	return several && runnable(first) == nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
