package policy

import (
	"errors"
	"net/netip"

	"sendwrap/allowlist/rule"
)

// Version is that of the format.
const Version = 1

// Compiled is a policy from its compiled form. Its rules are those for one client; for another one
// the Match is zero.
type Compiled struct {
	policy   Policy
	client   netip.Addr
	match    rule.Match
	warnings []string
}

// Open reads the policy at path and looks up the client, unless that is the zero Addr. It returns
// an error if the policy is not that of file as its sources are now, or cannot be trusted: the
// caller then reads the text.
func Open(path, file string, client netip.Addr) (*Compiled, error) {
	return nil, errors.New("not written yet")
}

// Policy is what the configuration means for the client. Every call returns the same.
func (c *Compiled) Policy() *Policy { return &c.policy }

// Warnings are the lines for the log about mistakes in the text.
func (c *Compiled) Warnings() []string { return c.warnings }

// Match returns what applies to the client that Open was asked about.
func (c *Compiled) Match(client netip.Addr) rule.Match { return c.match }

// Others returns the rules for other clients, and nil if it cannot.
func (c *Compiled) Others(clients []netip.Addr) Rules { return nil }

// Close closes the file. A process that ends, or becomes another program, need not call it.
func (c *Compiled) Close() {}
