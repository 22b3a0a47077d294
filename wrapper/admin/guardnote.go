package admin

import (
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

// guardNote says that no client becomes known: none is to be, or only a guard sees messages, and
// none runs.
func guardNote(c *config.Config, runs bool) string {
	switch {
	case c.RememberAfter != policy.AfterMail:
		return ""
	case c.Remember == 0:
		return "with remember 0 no client becomes known; remove one of the two lines"
	case runs:
		return ""
	}
	return "no guard runs, so no client becomes known; start sendwrap guard, " +
		"and name it in the MTA's configuration"
}

// guardNote is that of check, which has no ledger open, and opens it only where the note depends on
// it. A ledger that it may not read says nothing.
func (c *call) guardNote(d *configured) string {
	note := guardNote(d.Config, false)
	if note == "" || note == guardNote(d.Config, true) {
		return note
	}
	if err := c.openExisting(d); err != nil {
		return ""
	}
	return guardNote(d.Config, d.Ledger.HasGuard())
}
