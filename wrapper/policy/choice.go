package policy

// Action is the answer to an early talker.
type Action uint8

const (
	Reject   Action = iota // 554 and close
	Tempfail               // 421 and close
	Drop                   // close without a reply
)

// Denial is the answer to a client of a deny network.
type Denial uint8

const (
	Close Denial = iota // 554 in place of the greeting
	Talk                // a greeting, and 550 for each recipient
)

// Mode decides whether verdicts have consequences.
type Mode uint8

const (
	Enforce Mode = iota
	Observe      // verdicts are logged and counted, then every client gets the MTA
)

// Knowing is what makes a client known.
type Knowing uint8

const (
	AfterWait Knowing = iota // it has waited quietly
	AfterMail                // the MTA has accepted a message of it
)

// MTAStderr is where the standard error of an MTA goes. exec.Stderr has the same numbers.
type MTAStderr uint8

const (
	Apart    MTAStderr = iota // to sendwrap's own, or to syslog if that is the client's connection
	AsIs                      // to sendwrap's own
	ToSyslog                  // one line of the log for each line
	ToDevNull
)

// LogTarget is where the log lines go.
type LogTarget uint8

const (
	Syslog LogTarget = iota // facility mail
	Stderr
	None
)

// The words of each choice in sendwrap.conf, in the order of its constants.
var (
	actions    = []string{"reject", "tempfail", "drop"}
	denials    = []string{"close", "talk"}
	modes      = []string{"enforce", "observe"}
	knowings   = []string{"wait", "mail"}
	mtaStderrs = []string{"auto", "client", "syslog", "null"}
	logTargets = []string{"syslog", "stderr", "none"}
)

func (a Action) String() string    { return wordOf(a, actions) }
func (d Denial) String() string    { return wordOf(d, denials) }
func (m Mode) String() string      { return wordOf(m, modes) }
func (k Knowing) String() string   { return wordOf(k, knowings) }
func (m MTAStderr) String() string { return wordOf(m, mtaStderrs) }
func (t LogTarget) String() string { return wordOf(t, logTargets) }

// wordOf is "invalid" if the choice has no such constant.
func wordOf[C ~uint8](c C, words []string) string {
	if int(c) >= len(words) {
		return "invalid"
	}
	return words[c]
}
