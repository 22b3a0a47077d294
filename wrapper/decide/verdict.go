package decide

// Verdict is what the decision about one connection comes to. The numbers are those under
// which the ledger counts, and must keep their meaning as long as ledgers do.
type Verdict uint8

// The verdicts, in the order in which they are reached.
const (
	Undecided Verdict = iota
	Denied            // a deny network
	Allowed           // an allow network
	Blocked           // a block runs on its network
	Busy              // too many sessions in all, or too much load
	Conns             // too many sessions of its network
	Rate              // too many arrivals of its network
	Known             // waited quietly not long ago: need not wait again
	Hangup            // left during the greet delay: no offence
	Pregreet          // spoke during the greet delay
	Pass              // quiet to the end
	Failed            // turned away for a fault of our own

	// Of the guard, about a client that has its MTA.
	BadRcpts // too many recipients that the MTA rejects
	Resets   // too many transactions that came to nothing
	MaxRcpts // too many recipients of one message

	// Of DNS, about a client that waits.
	DNSBL // block lists name it
	DNSWL // allow lists name it: need not wait any longer
)

// verdicts says what each one is called in the log, and what the client reads: reply code, enhanced
// status code (RFC 3463; large MTAs put the host name behind it), and behind the client's address a
// text for the postmaster on the other side. A reply of 421 says that the next try may succeed: an
// honest server queues the mail and comes back. For a verdict without a code the client reads
// nothing.
var verdicts = [...]struct {
	word, code, status, text string
}{
	Undecided: {word: "UNDECIDED"},
	Denied: {"DENIED", "554", "5.7.1",
		"is refused here; if that is wrong, tell the postmaster in another way"},
	Allowed: {word: "ALLOWED"},
	Blocked: {"BLOCKED", "421", "4.7.1",
		"is blocked for a while because of what came from its network; try again later"},
	Busy: {"BUSY", "421", "4.3.2",
		"cannot be served now, we are too busy; try again later"},
	Conns: {"CONNS", "421", "4.7.0",
		"has too many connections at once, with its network; close some and try again"},
	Rate: {"RATE", "421", "4.7.0",
		"made too many connections in a short time, with its network; try again later"},
	Known:  {word: "KNOWN"},
	Hangup: {word: "HANGUP"},
	Pregreet: {"PREGREET", "554", "5.5.1",
		"spoke before the greeting; wait for it, as RFC 5321 section 4.3.1 asks"},
	Pass: {word: "PASS"},
	Failed: {"FAILED", "421", "4.3.0",
		"cannot be served for a reason of ours; try again later"},
	BadRcpts: {"BADRCPTS", "421", "4.7.0",
		"named too many unknown recipients; check your list of addresses and try again later"},
	Resets: {"RESETS", "421", "4.7.0",
		"began too many transactions without a message; try again later"},
	MaxRcpts: {"MAXRCPTS", "452", "4.5.3",
		"named too many recipients; send to the others in another message"},
	DNSBL: {"DNSBL", "554", "5.7.1", "is named by a block list"},
	DNSWL: {word: "DNSWL"},
}

// NumVerdicts is one more than the last: how long a table is that has all of them.
const NumVerdicts = len(verdicts)

// String is the verdict's word in the log.
func (v Verdict) String() string { return verdicts[v].word }

// Refusal is what the client gets: reply code, enhanced status code and words, "" for none.
func (v Verdict) Refusal() (code, status, text string) {
	t := &verdicts[v]
	return t.code, t.status, t.text
}

// Verdicts lists all that are counted, in order.
func Verdicts() []Verdict {
	all := make([]Verdict, 0, NumVerdicts)
	for v := Denied; int(v) < NumVerdicts; v++ {
		all = append(all, v)
	}
	return all
}

// Final says whether the verdict no longer depends on what the client does.
func (v Verdict) Final() bool { return v != Undecided && v != Known }

// OfGuard says whether the guard reaches the verdict, about a client that has its MTA.
func (v Verdict) OfGuard() bool { return v == BadRcpts || v == Resets || v == MaxRcpts }

// Served says whether the client gets the MTA.
func (v Verdict) Served() bool { return v == Allowed || v == Known || v == Pass || v == DNSWL }

// Refuses says whether the verdict is final, and the client gets a reply in place of the MTA.
func (v Verdict) Refuses() bool { return v.Final() && !v.Served() && v != Hangup }
