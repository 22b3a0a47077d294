// Package ledger is the memory that all sendwrap processes share: who is
// connected, who is known, who is blocked, and how often each verdict was given.
//
// It is one file, mapped shared by every process that opens it. Nobody owns it and
// no daemon keeps it: each process does its own short piece of work under a lock
// and leaves the file right for the next. The package knows nothing of rules,
// replies or configuration; it counts, remembers and answers.
//
// # What it promises
//
// Each promise has tests that try to break it, whose names begin with the word here; TestTorture
// tries several at once.
//
//   - Crash: a process may get SIGKILL at any instruction. The kernel gives the lock
//     back at once; the next process undoes what was left half written.
//   - Stop: a process stopped with the lock in its hand delays another by [Patience],
//     50 ms with all that belongs to it; then that one gets [ErrBusy] and carries on
//     without the ledger. Who waits only because many others have their turn first waits
//     for up to a second, or as long as it has set itself; then it gets [ErrCrowded], and its
//     client is refused.
//   - Exact: a limit is looked at and taken within one lock, so P processes with N
//     arrivals each are P×N arrivals, and of a thousand that come at once only as
//     many get in as the limit says.
//   - Sessions are processes: a session lives as long as its process does, told by
//     pid and start time. After execve it is the MTA's, which knows nothing of us.
//     Dead sessions are freed by whoever looks next. A room is a process that holds many;
//     it hands each to the MTA that it has started for it.
//   - Bounded: the size is fixed when the file is made and allocated in full (also TestFull).
//     When it is full, what matters least goes first (see [importance]); a live
//     session never does.
//   - Unguessable: places are chosen by SipHash with a random key per file, so nobody
//     can aim addresses at one place.
//   - Honest about its bytes: a header with magic, version, geometry and checksum. A
//     file that does not fit is set aside and a new one made. Any byte elsewhere
//     may be anything: indexes and times are checked before they are believed, loops
//     are bounded, and a file that is cut off while mapped (TestLost) is an error, not a crash.
//   - Private: mode 0600, ours, in a directory that nobody else may write.
//   - Time: the ledger has a clock of its own, which never jumps (see clock.go).
//   - Remembers: blocks and known clients survive a reboot, sessions do not.
//   - Counts: a total for each verdict, and how long early talkers and impatient
//     clients had waited.
//
// # Layout
//
// All sizes in bytes, native byte order, everything aligned to 8:
//
//	header    4,096   magic … checksum (fixed when made), then what changes
//	undo      8,192   what the work under way has overwritten so far
//	totals    8,192   verdict totals and the two delay histograms
//	bitmap    S/8     which session slots are in use, rounded up to 4,096
//	slots     S×64    sessions, rounded up to 4,096
//	buckets   B×4,096 16 client records of 256 each: a bucket is a page
//
// A client record lies in one of the two buckets that its hash names, whichever held
// the less important record when it was made; so a bucket overflows only when
// the whole file is nearly full, and finding a record never looks at more than 32.
package ledger
