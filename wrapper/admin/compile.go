package admin

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"time"

	"sendwrap/wrapper/compile"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

// compileNow compiles the configuration. Wrong directives do not stop it, since they do not stop
// those that serve clients.
func compileNow(c *call) error {
	if err := c.parse(flag.NewFlagSet("compile", flag.ContinueOnError), 0, 0); err != nil {
		return err
	}
	path, ok := policy.Path(c.policies, c.file)
	if !ok {
		return UsageError(fmt.Sprintf("%q is a relative path; write FILE as the super-server does",
			c.file))
	}
	r, err := compile.Compile(c.file, path)
	var unreadable *compile.Unreadable
	switch {
	case errors.As(err, &unreadable):
		fmt.Fprintf(c.stderr, "sendwrap: %v\n", err)
		return errReported
	case err != nil:
		return fmt.Errorf("%s: %w", path, AsRoot(err))
	}
	c.printMistakes(r.Mistakes)
	fmt.Fprintf(c.stdout, "%s: %s%s, %d bytes, in %v\n",
		path, networksAndNames(r.Networks, r.Names), entriesText(r.AccessMap, r.Entries), r.Bytes,
		r.Took.Round(time.Millisecond))
	return nil
}

// printAgreement says whether the compiled policy agrees with the text.
func (c *call) printAgreement(cfg *config.Config) {
	path, ok := policy.Path(c.policies, c.file)
	if !ok {
		return // no connection has a relative path either
	}
	const soon = "the door makes a new one at the next connection"
	p, err := policy.Open(path, c.file, netip.Addr{})
	switch {
	case err == nil && reflect.DeepEqual(*p.Policy().Settings, cfg.Settings):
		fmt.Fprintln(c.stdout, "policy: agrees")
	case err == nil:
		fmt.Fprintf(c.stdout, "policy: %s: differs from the text; run sendwrap compile\n", path)
	case errors.Is(err, os.ErrNotExist):
		fmt.Fprintln(c.stdout, "policy: none yet; the door makes one at the next connection")
	case errors.Is(err, os.ErrPermission):
		fmt.Fprintf(c.stdout, "policy: %v\n", AsRoot(err))
	default:
		fmt.Fprintf(c.stdout, "policy: %v; %s\n", err, soon)
	}
	if p != nil {
		p.Close()
	}
}
