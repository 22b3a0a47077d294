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
//     many get in as the limit says. Bad recipients are counted the same way.
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
//     file that does not fit is set aside and a new one made; one of an older version is carried over
//     with all that it knows, one of a newer version is left alone. Any byte elsewhere
//     may be anything: indexes and times are checked before they are believed, loops
//     are bounded, and a file that is cut off while mapped (TestLost) is an error, not a crash.
//   - Private: mode 0600, ours, in a directory that nobody else may write.
//   - Time: the ledger has a clock of its own, which never jumps (see clock.go).
//   - Remembers: blocks and known clients survive a reboot, sessions do not.
//   - Counts: a total for each verdict, and how long early talkers and impatient
//     clients had waited.
//   - Begun: who watches for blocks is told of each that begins, once and in their order, and of none that
//     was undone; or that there were too many to name. To learn that there are none takes no lock.
//   - Trim: of more blocks than are wanted the oldest end, and nobody waits meanwhile.
//   - Turns: of all processes only so many have a turn at a time, exactly; whoever is killed has
//     none any more.
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
// Behind the end of the file, at 2^40, are the bytes that stand for turns: they are only ever locked.
//
// Version 2 has given a meaning to bytes that version 1 left zero, in records and behind the state; all else is as it was.
//
// A client record lies in one of the two buckets that its hash names, whichever held
// the less important record when it was made; so a bucket overflows only when
// the whole file is nearly full, and finding a record never looks at more than 32.
package ledger
