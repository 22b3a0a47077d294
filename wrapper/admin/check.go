package admin

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"text/tabwriter"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
)

// check says whether the configuration is right and, for each address, which test of
// the decision would decide.
func check(c *call) error {
	if err := c.parse(flag.NewFlagSet("check", flag.ContinueOnError), 0, 1000); err != nil {
		return err
	}
	cfg, wrong, err := c.config()
	if err != nil {
		return err
	}
	if why := runnable(cfg.MTA[0]); why != nil {
		fmt.Fprintf(c.stderr, "%s: mta: %v; write mta PROGRAM ARG…, with the path of a program\n", c.file, why)
		wrong++
	}
	if err := examine(cfg.Ledger.Path); errors.Is(err, errUnseen) {
		fmt.Fprintf(c.stderr, "note: ledger: %v\n", err)
	} else if err != nil {
		fmt.Fprintf(c.stderr, "%s: ledger: %v\n", c.file, err)
		wrong++
	}
	for _, why := range unusable(cfg) {
		fmt.Fprintf(c.stderr, "%s: %v\n", c.file, why)
		wrong++
	}
	if len(c.args) > 0 {
		d := &wrapper.Door{Config: cfg}
		if err := c.openAsRoom(d); err != nil {
			fmt.Fprintf(c.stderr, "sendwrap: %v; shown as without a ledger\n", err)
		}
		for _, arg := range c.args {
			client, err := address(arg)
			if err != nil {
				return err
			}
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
		fmt.Fprintf(c.stdout, "ok: %s, %s\n", c.file, plural(cfg.Networks.Len(), "network"))
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
	if verdict == wrapper.Pass {
		fmt.Fprintf(c.stdout, "verdict: %v after %s\n", verdict, config.FormatDuration(facts.Delay()))
	} else {
		fmt.Fprintf(c.stdout, "verdict: %v\n", verdict)
	}
	return nil
}

// runnable says why the MTA could not be started.
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

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
