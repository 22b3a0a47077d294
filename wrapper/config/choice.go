package config

import "slices"

// Action is what an early talker gets.
type Action uint8

const (
	Reject   Action = iota // 554 and close
	Tempfail               // 421 and close
	Drop                   // close without a word
)

// Denial is what a client of a deny network gets.
type Denial uint8

const (
	Close Denial = iota // 554 in place of the greeting
	Talk                // a greeting, and 550 for each recipient
)

// Mode is whether verdicts are carried out.
type Mode uint8

const (
	Enforce Mode = iota
	Observe      // verdicts are logged and counted, then everyone gets the MTA
)

// MTAStderr is what an MTA gets as standard error. exec.Stderr has the same numbers.
type MTAStderr uint8

const (
	Apart    MTAStderr = iota // as sendwrap got it, unless that is the client's: then syslog
	AsIs                      // as sendwrap got it
	ToSyslog                  // a line of the log for each line of it
	ToDevNull
)

// LogTarget is where the log line of a connection goes.
type LogTarget uint8

const (
	Syslog LogTarget = iota // facility mail
	Stderr
	None
)

// The words of each choice, in the order of its constants.
var (
	actions    = []string{"reject", "tempfail", "drop"}
	denials    = []string{"close", "talk"}
	modes      = []string{"enforce", "observe"}
	mtaStderrs = []string{"auto", "client", "syslog", "null"}
	logTargets = []string{"syslog", "stderr", "none"}
)

func (a Action) String() string    { return chosen(a, actions) }
func (d Denial) String() string    { return chosen(d, denials) }
func (m Mode) String() string      { return chosen(m, modes) }
func (m MTAStderr) String() string { return chosen(m, mtaStderrs) }
func (t LogTarget) String() string { return chosen(t, logTargets) }

func chosen[C ~uint8](c C, words []string) string {
	if int(c) >= len(words) {
		return "invalid"
	}
	return words[c]
}

// choose sets c to the choice that a word stands for.
func choose[C ~uint8](c *C, word string, words []string) error {
	i := slices.Index(words, word)
	if i < 0 {
		return wrong("write "+oneOf(words), "%s is unknown", quoted(word))
	}
	*c = C(i)
	return nil
}
