// Package ledger is the memory that all sendwrap processes share: which clients are connected,
// known or blocked, and how often each verdict was given.
//
// It is one file, mapped shared by every process that opens it. There is no daemon: each process
// does its own short work under a lock and leaves the file consistent for the next. The package
// knows nothing of rules, replies or configuration; it counts, remembers and answers.
//
// A program uses it through a [Handle].
//
// # What it promises
//
// Each promise has tests that try to break it. Their names begin with the word here; TestTorture
// tries several at once.
//
//   - Crash: a process may get SIGKILL at any instruction. The kernel releases the lock at once,
//     and the next process undoes what was left half written.
//   - Stop: a process that is stopped while it holds the lock delays another by [Patience], 50 ms
//     in all. The other then gets a [HeldError] and carries on without the ledger. A process is
//     stopped if the kernel says so, or if it keeps the lock for seconds. A process that waits only
//     because many others come first waits for up to five seconds, or for as long as it has
//     configured; then it gets [ErrCrowded].
//   - Read: reading the whole ledger takes no lock and does not slow down the processes that work
//     on it. Nor does asking for one block (see [Ledger.Peek]). That answer is true of a moment
//     after the question at which no process was at work.
//   - Exact: a limit is checked and taken under one lock, so P processes with N arrivals each are
//     P×N arrivals. Of a thousand clients that come at once, only as many get in as the limit
//     allows. Bad recipients are counted the same way. Several clients may have one lock together
//     (see [Handle.Together]); what is done for each of them is done completely or not at all.
//   - Sessions are processes: a session lives as long as its process, which is known by pid and
//     start time. After execve it is the MTA's process, which knows nothing of sendwrap. The next
//     process that looks frees dead sessions. A room is a process that holds many sessions; it
//     transfers each to the MTA that it has started for the client.
//   - Bounded: the size is fixed when the file is made, and allocated in full (also TestFull).
//     When the file is full, the least important record is replaced first (see [importance]): never
//     one with a live session, and one blocked by hand only for another such block. A wide network
//     that holds more than its share of the records loses its own first (see crowd.go).
//   - Unguessable: SipHash with a random key per file chooses the places of records. An attacker
//     cannot aim addresses at one place.
//   - Honest about its bytes: a header with magic, version, geometry and checksum. A file that does
//     not fit is set aside, and a new one made. A file of an older version is carried over with
//     everything in it; one of a newer version is left alone. Any other byte may have any value:
//     indexes and times are checked before use, loops are bounded, and a file that is truncated
//     while mapped (TestLost) is an error, not a crash. If a foreign process writes into the undo
//     log during an operation, the file is set aside.
//   - Private: mode 0600, owned by us, in a directory that nobody else may write to. Mode 0640 lets
//     a group read it, and do nothing else: not even hold its lock (see beside.go).
//   - Time: the ledger has its own clock, which never jumps (see clock.go).
//   - Remembers: blocks and known clients survive a reboot; sessions do not.
//   - Counts: a total for each verdict, and how long early talkers and impatient clients waited;
//     and roughly, of each network that it remembers, what that did of late (see activity.go).
//   - News: a process that watches for blocks learns of each new one, once and in order, and of
//     none that was undone; or it learns that there were too many to name. Finding that there are
//     none takes no lock.
//   - Log: of all processes that find the same thing wrong, one a minute logs it.
//   - Lookups: what DNS has said about an address is kept by address, until its time is over or
//     others need the place. Of all processes that want to know it at the same time, one asks: if
//     it dies, the next one may. The zones of lists, which may be secret, are nowhere in the file.
//   - Trim: if there are more blocks than wanted, the oldest end: those of crowds first, those set
//     by hand last. No process waits meanwhile.
//
// # Layout
//
// All sizes in bytes, native byte order, everything aligned to 8:
//
//	header      128   magic … checksum (fixed when made), then what a boot changes
//	totals    1,920   verdict totals, and the two delay histograms up to 10 s
//	state       256   what every operation may change
//	undo      8,192   what the current operation has overwritten so far
//	ring      1,792   the networks of the last 64 new blocks, and how many blocks there can be
//	late      8,192   the two delay histograms from 10 s on
//	bitmap    S/8     which session slots are in use, rounded up to 4,096
//	slots     S×64    sessions, rounded up to 4,096
//	buckets   B×4,096 16 client records of 256 each: a bucket is a page
//	lists     4,096   how each list of DNS behaves: 32 of 128 each
//	lookups   L×4,096 16 lookups of 256 each: a quarter as many as records, 1,024 or more
//	sharing   8,192   what the process that shares with other machines keeps, and 124 machines
//	outbox  737,280   the last 10,240 events that other machines are to know, of 72 each
//
// In another file, PATH.lock, are only bytes to be locked: that file is the lock of a ledger that a
// group may read, and has the slots for on_block (package enforce).
//
// The last quarter page of late holds what changes without the lock: counts, which messages were
// logged last, and which rooms there are. Versions 1 to 3 had fewer verdicts, all totals where late
// is now, the ring before the undo log, and ended before the lists; version 4 ended before sharing.
// Records of versions 3 and 4 had longer windows and no activity; those of versions 1 and 2 were
// different again, and left zero what they did not use. See older.go; everything else is unchanged.
//
// A client record lies in one of the two buckets that its hash names: in the one that held the less
// important record when it was made. So a bucket overflows only when the whole file is nearly full,
// and a search never looks at more than 32 records. Lookups are placed the same way, by address and
// configuration. A record may also count the sessions of a wide network (wide.go), which is no
// client.
package ledger
