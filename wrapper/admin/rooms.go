package admin

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// roomReport is a process that holds many clients.
type roomReport struct {
	PID         int        `json:"pid"`
	Since       time.Time  `json:"since"`
	Build       string     `json:"build"`
	Configured  *time.Time `json:"configured"`  // when it read its configuration; nil = not known
	Descriptors int        `json:"descriptors"` // in use; -1 = not known, for lack of rights
	Limit       int        `json:"descriptors_limit"`
}

func (r *report) addRooms(rooms []ledger.Room) {
	for _, room := range rooms {
		one := roomReport{PID: room.PID, Since: room.Started.Truncate(time.Second),
			Build: room.Build, Configured: momentOf(room.Configured)}
		one.Descriptors, one.Limit = descriptors(room.PID)
		r.Rooms = append(r.Rooms, one)
	}
}

// descriptors are how many files the process has open, and how many it may have (proc(5)); -1 if
// that is not known.
func descriptors(pid int) (open, limit int) {
	open, limit = -1, -1
	proc := "/proc/" + strconv.Itoa(pid)
	if all, err := os.ReadDir(proc + "/fd"); err == nil {
		open = len(all)
	}
	text, _ := os.ReadFile(proc + "/limits")
	for line := range bytes.Lines(text) {
		if soft, found := bytes.CutPrefix(line, []byte("Max open files")); found {
			if f := bytes.Fields(soft); len(f) > 0 {
				if n, err := strconv.Atoi(string(f[0])); err == nil {
					limit = n
				}
			}
		}
	}
	return open, limit
}

// printRooms prints a line for each room. Without one a process serves each client.
func (r *report) printRooms(w io.Writer) {
	for _, room := range r.Rooms {
		fmt.Fprintf(w, "room\tprocess %d", room.PID)
		if room.Build != "" {
			fmt.Fprintf(w, " of sendwrap %s", room.Build)
		}
		fmt.Fprintf(w, ", since %s", room.Since.Local().Format(time.DateTime))
		if room.Configured != nil {
			ago := max(0, time.Since(*room.Configured)).Truncate(time.Second)
			fmt.Fprintf(w, ", configured %s ago", decide.Seconds(ago))
		}
		if room.Descriptors >= 0 {
			fmt.Fprintf(w, ", %d of %d descriptors", room.Descriptors, room.Limit)
		}
		fmt.Fprintln(w)
	}
	if len(r.Rooms) == 0 {
		fmt.Fprintln(w, "room\tnone")
	}
}
