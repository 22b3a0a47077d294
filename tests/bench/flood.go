package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// burst is what several clients cost together.
type burst struct {
	clients int
	cpu     time.Duration // of all processes of the peer: user and system
	took    time.Duration // from the first connect to the last close
}

// cpuEach returns the CPU time of a client of these bursts in µs, the mean.
func cpuEach(bursts []burst) float64 {
	b := sum(bursts)
	return us(b.cpu) / float64(b.clients)
}

// tookEach returns the time that a client of these bursts took in µs. The
// median of the bursts: a wait for a CPU that others use is no part of it.
func tookEach(bursts []burst) float64 {
	var each []float64
	for _, b := range bursts {
		each = append(each, us(b.took)/float64(b.clients))
	}
	return median(each)
}

func sum(bursts []burst) (all burst) {
	for _, b := range bursts {
		all.clients += b.clients
		all.cpu += b.cpu
		all.took += b.took
	}
	return all
}

// rush is who visits a peer in one turn.
type rush struct {
	clients int
	atOnce  int // how many of them are connected at a time
	from    func() netip.Addr
	opening string // what each says at once
}

// flood lets a rush of clients visit p and returns what it cost.
func (l *bench) flood(p peer, r rush) (burst, error) {
	if p.at == nil {
		return l.floodOfProcesses(p, r)
	}
	b := burst{clients: r.clients}
	if p.at.asked == nil {
		if _, err := p.at.spent(); err != nil { // its start is no client's
			return b, err
		}
	}
	began := time.Now()
	err := r.visit(p)
	b.took = time.Since(began)
	if err == nil {
		b.cpu, err = p.at.spent()
	}
	return b, err
}

// floodReaching is flood, and sees to it that each client gets the verdict.
func (l *bench) floodReaching(verdict string, p peer, r rush) ([]burst, error) {
	var b burst
	err := p.reaching(verdict, r.clients, func() (err error) {
		b, err = l.flood(p, r)
		return err
	})
	return []burst{b}, err
}

// visit lets all clients visit p, which must say the right thing to each and
// close. The one that has been there longest is waited for, then the next
// comes: as simple as can be, since it shares the machine with p.
func (r rush) visit(p peer) error {
	here := make([]*client, 0, r.clients)
	for gone := 0; gone < r.clients; {
		if n := len(here); n < r.clients && n-gone < r.atOnce {
			client, err := dial(r.from(), p.at.addr)
			if err != nil {
				return err
			}
			here = append(here, client)
			if err := client.write(r.opening); err != nil && !cut(err) {
				return err
			}
			continue
		}
		client := here[gone]
		gone++
		said, err := client.rest()
		client.close()
		if err != nil {
			return err
		}
		if !p.saidRight(said) {
			return fmt.Errorf("the client received %q, want %q", said, p.says)
		}
	}
	return nil
}

// cut reports whether err says that the server has closed already: some do
// before the client has said anything, and what they said can still be read.
func cut(err error) bool {
	return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET)
}

// floodOfProcesses is flood for a program that is started for each client.
func (l *bench) floodOfProcesses(p peer, r rush) (burst, error) {
	b := burst{clients: r.clients}
	began := time.Now()
	samples, err := l.visits(p, r.clients, r.atOnce, r.from, r.opening)
	b.took = time.Since(began)
	for _, s := range samples {
		b.cpu += s.cpu
	}
	return b, err
}

// greetings lets n silent clients visit p one after the other and returns when
// each had the greeting.
func (p peer) greetings(n int, from func() netip.Addr) ([]sample, error) {
	var samples []sample
	for range n {
		began := time.Now()
		c, err := dial(from(), p.at.addr)
		if err != nil {
			return nil, err
		}
		said, err := c.reply()
		s := sample{answer: time.Since(began)}
		if err == nil && !p.saidRight(said) {
			err = fmt.Errorf("the client received %q, want %q", said, p.says)
		}
		if err == nil {
			_, err = c.rest()
		}
		c.close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		samples = append(samples, s)
	}
	return samples, nil
}
