package setup

import (
	"io/fs"
	"net/netip"
	"time"
)

// Plan is all that puts sendwrap in front of the MTA.
type Plan struct {
	Found []string // what it goes by, a line each
	Steps []Step
	Goal  Goal
}

// Step is a file or a command. A step that has only Undo does nothing on the way there: it stands
// before files that the command reads, since the way back is the other way round.
type Step struct {
	What     string // it does, for people
	File     *File
	Do, Undo string // for sh
}

// File is the whole new content of a file. An existing one keeps owner and mode.
type File struct {
	Name string
	Old  string // what the new content was made from; "" if there is no such file
	Text string
	Mode fs.FileMode // of a new one, which belongs to root
	// Loose: an administrator is expected to edit it, and nothing else depends on that.
	Loose bool
}

// Goal is how it must be in the end, on both ways.
type Goal struct {
	Starter string           // the process that has port 25 then; on the way back another one
	Greeted []netip.AddrPort // there a client is greeted
	Open    []netip.AddrPort // there one can connect
	Delay   time.Duration    // clients may wait so long for the greeting
	Listens time.Duration    // a daemon may take so long until it listens
}
