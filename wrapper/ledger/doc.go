// Package ledger is the memory that all sendwrap processes share: which clients are connected,
// known or blocked, and how often each verdict was given.
//
// It is one file, which every process that opens it maps as shared. There is no daemon: each
// process does its own short piece of work under a lock and leaves the file right for the next. The
// package knows nothing of rules, replies or configuration; it counts, remembers and answers.
//
// # What it promises
//
// Each promise has tests that try to break it, whose names begin with the word here; TestTorture
// tries several at once.
//
//   - Crash: a process may get SIGKILL at any instruction. The kernel gives the lock
//     back at once; the next process undoes what was left half written.
//   - Stop: a process that is stopped while it holds the lock delays another by [Patience], 50 ms
//     in all. The other then gets a [HeldError] and carries on without the ledger. A process is
//     stopped if the kernel says so, or if its turn does not end for seconds. A process that waits
//     only because many others come first waits for up to five seconds, or as long as it has set
//     itself; then it gets [ErrCrowded].
//   - Read: to read the whole ledger takes no lock, and does not slow down the processes that work
//     on it. Nor does it take one to ask for a block alone (see [Ledger.Peek]); the answer is true
//     of a moment at which no process was at work, after the question.
//   - Exact: a limit is looked at and taken within one lock, so P processes with N
//     arrivals each are P×N arrivals, and of a thousand that come at once only as
//     many get in as the limit says. Bad recipients are counted the same way.
//   - Sessions are processes: a session lives as long as its process does, known by
//     pid and start time. After execve it is the MTA's, which knows nothing of us.
//     The next process that looks frees dead sessions. A room is a process that holds many;
//     it hands each to the MTA that it has started for it.
//   - Bounded: the size is fixed when the file is made and allocated in full (also TestFull).
//     When it is full, what matters least goes first (see [importance]); a live
//     session never does, a block by hand only for another. A wide network that holds more than
//     its share of the records loses its own first (see crowd.go).
//   - Unguessable: SipHash with a random key per file chooses the places, so that no attacker
//     can aim addresses at one place.
//   - Honest about its bytes: a header with magic, version, geometry and checksum. A file that does
//     not fit is set aside and a new one made; one of an older version is carried over with all
//     that it knows, one of a newer version is left alone. Any byte elsewhere may be anything:
//     indexes and times are checked before they are believed, loops are bounded, and a file that is
//     cut off while mapped (TestLost) is an error, not a crash. One in which somebody else writes
//     into the undo log while work is under way is set aside.
//   - Private: mode 0600, ours, in a directory that nobody else may write.
//   - Time: the ledger has a clock of its own, which never jumps (see clock.go).
//   - Remembers: blocks and known clients survive a reboot, sessions do not.
//   - Counts: a total for each verdict, and how long early talkers and impatient
//     clients had waited.
//   - Begun: a process that watches for blocks learns of each that begins, once and in their order,
//     and of none that was undone; or that there were too many to name. To learn that there are
//     none takes no lock.
//   - Tells: of all processes that find the same thing wrong, one a minute logs it.
//   - Trim: of more blocks than are wanted the oldest end, those of crowds first, those by hand
//     last. No process waits meanwhile.
//
// # Layout
//
// All sizes in bytes, native byte order, everything aligned to 8:
//
//	header    2,048   magic … checksum (fixed when made), then what a boot changes
//	state       256   what every piece of work may change
//	ring      1,792   the networks on which the last 64 blocks began, and how many run at most
//	undo      8,192   what the work under way has overwritten so far
//	totals    8,192   verdict totals and the two delay histograms
//	bitmap    S/8     which session slots are in use, rounded up to 4,096
//	slots     S×64    sessions, rounded up to 4,096
//	buckets   B×4,096 16 client records of 256 each: a bucket is a page
//
// Far behind the end of the file, at 2^40, are bytes that are only ever locked: the slots for
// on_block (package enforce).
//
// Behind the totals stand those that are counted without the lock, what was told last, and which
// rooms there are. Versions 1 and 2 had other records (see older.go) and left zero what they did
// not use; all else is as it was.
//
// A record may also count the sessions of a wider network (wide.go), which is no client.
//
// A client record lies in one of the two buckets that its hash names, whichever held
// the less important record when it was made; so a bucket overflows only when
// the whole file is nearly full, and finding a record never looks at more than 32.
package ledger
