package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// load is how many clients visit a peer in one turn, and how.
type load struct {
	clients int
	atOnce  int // how many of them are connected at a time
	from    func() netip.Addr
	opening string // what each says at once; "" = it waits
}

// visitor is a client, and the program that runs for it.
type visitor struct {
	peer   peer
	client *client
	child  child // 0: the peer is a daemon
	began  time.Time
}

// arrive lets a client connect and say opening. If p is no daemon, it is started for it.
func (l *bench) arrive(p peer, from netip.Addr, opening string) (v visitor, err error) {
	v = visitor{peer: p, began: time.Now()}
	to := l.server.addr
	if p.at != nil {
		to = p.at.addr
	}
	if v.client, err = dial(from, to); err != nil {
		return v, err
	}
	if opening != "" {
		if err := v.client.write(opening); err != nil && !cut(err) {
			return v, err
		}
	}
	if p.at != nil {
		return v, nil
	}
	conn, err := l.server.accept()
	if err == nil {
		v.child, err = start(conn, p)
	}
	return v, err
}

// cut reports whether err says that the server has closed already: some do before the client has
// said anything, and their reply can still be read.
func cut(err error) bool {
	return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET)
}

// stay waits until the server closes, having said the right thing, and the program ends.
func (v visitor) stay() (s sample, err error) {
	_, err = v.client.receive()
	s.answer = time.Since(v.began)
	if err == nil {
		var said string
		if said, err = v.client.rest(); err == nil && !v.peer.saidRight(said) {
			err = fmt.Errorf("the client received %q, want %q", said, v.peer.says)
		}
	}
	v.client.close()
	if err == nil && v.child != 0 {
		s.cpu, err = v.child.wait()
	}
	return s, err
}

// visits lets the clients of a load visit p. It waits for the one that has been there longest, then
// the next comes: as simple as can be, since it shares the machine with p.
func (l *bench) visits(p peer, r load) ([]sample, error) {
	samples := make([]sample, 0, r.clients)
	here := make([]visitor, 0, r.clients)
	for len(samples) < r.clients {
		if err := l.late(); err != nil {
			return nil, err
		}
		if n := len(here); n < r.clients && n-len(samples) < r.atOnce {
			v, err := l.arrive(p, r.from(), r.opening)
			if err != nil {
				return nil, err
			}
			here = append(here, v)
			continue
		}
		s, err := here[len(samples)].stay()
		if err != nil {
			return nil, err
		}
		samples = append(samples, s)
	}
	return samples, nil
}

// burst is what several clients cost together.
type burst struct {
	clients int
	cpu     time.Duration // of all processes of the peer: user and system
	took    time.Duration // from the first connect to the last close
}

// flood lets the clients of a load visit p, which must reach this verdict about each, and returns
// what it cost.
func (l *bench) flood(verdict string, p peer, r load) ([]burst, error) {
	if p.at != nil && p.at.asked == nil {
		if _, err := p.at.spent(); err != nil { // its start is no client's
			return nil, err
		}
	}
	return reaching(p, verdict, r.clients, func() ([]burst, error) {
		b := burst{clients: r.clients}
		began := time.Now()
		samples, err := l.visits(p, r)
		b.took = time.Since(began)
		for _, s := range samples {
			b.cpu += s.cpu
		}
		if err == nil && p.at != nil {
			b.cpu, err = p.at.spent()
		}
		return []burst{b}, err
	})
}

// cpuEach returns the CPU time of a client of these bursts in µs, the mean.
func cpuEach(bursts []burst) float64 {
	b := sum(bursts)
	return us(b.cpu) / float64(b.clients)
}

// tookEach returns the time that a client of these bursts took in µs. The median of the bursts: a
// wait for a CPU that others use is no part of it.
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
