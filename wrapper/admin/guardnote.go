package admin

import (
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

// guardNote says that no client becomes known because only a guard sees messages, and none runs.
func guardNote(c *config.Config, runs bool) string {
	if runs || c.RememberAfter != policy.AfterMail || c.Remember == 0 {
		return ""
	}
	return "no guard runs, so no client becomes known; start sendwrap guard, " +
		"and name it in the MTA's configuration"
}

// guardNote is that of check, which has no ledger open, and opens it only where the note depends on
// it. A ledger that it may not read says nothing.
func (c *call) guardNote(d *configured) string {
	if guardNote(d.Config, false) == "" {
		return ""
	}
	if err := c.openExisting(d); err != nil {
		return ""
	}
	return guardNote(d.Config, d.Ledger.HasGuard())
}
