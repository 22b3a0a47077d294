// Package resolve asks DNS without ever blocking: one descriptor says when there is something to
// do, so that a process with one client can wait for both in one poll(2), and a room in its epoll.
package resolve

import (
	"net/netip"
	"time"
)

// Type is the type of the records that are asked for.
type Type uint16

const (
	A    Type = 1
	PTR  Type = 12
	AAAA Type = 28
)

// Question is a name and a type.
type Question struct {
	Name string // without a dot at the end
	Type Type
}

// Result says what came of a question.
type Result uint8

const (
	NoAnswer Result = iota // none came in time, or no server could be asked
	Found                  // there are records
	NotFound               // the name does not exist, or has no record of this type
	Refused                // the server does not want to answer (REFUSED)
	Failed                 // the server could not answer (SERVFAIL and others)
)

// Answer is what DNS has said.
type Answer struct {
	Result Result
	Addrs  []netip.Addr  // of A and AAAA, at most maxRecords
	Names  []string      // of PTR, at most maxRecords; lower case, without the dot, see Ask
	TTL    time.Duration // the smallest of the records, or of the SOA if there is none
}

// Resolver asks questions. It may be used by one goroutine at a time.
type Resolver struct{}

// New is a resolver that asks these servers, or those of /etc/resolv.conf if there are none.
func New(servers []netip.AddrPort) *Resolver { return &Resolver{} }

// Query is a question under way.
type Query struct{}

// Ask sends a question, and calls done once with the answer: later, in Handle, never in Ask itself.
// At the time given it ends with NoAnswer.
func (r *Resolver) Ask(q Question, until time.Time, done func(Answer)) *Query { return nil }

// Cancel ends a query without an answer: done is not called any more. nil is none.
func (r *Resolver) Cancel(q *Query) {}

// FD is readable when Handle has something to do. It is -1 while nothing is asked.
func (r *Resolver) FD() int { return -1 }

// Due is when Handle has to be called at the latest; the zero Time while nothing is asked.
func (r *Resolver) Due() time.Time { return time.Time{} }

// Handle reads what has come, and asks again where that is due. It never waits.
func (r *Resolver) Handle() {}

// Close ends all queries without an answer.
func (r *Resolver) Close() {}
