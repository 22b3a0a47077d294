package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"sendwrap/tests/lab"
)

// xinetd is a super-server that can refuse a client by itself: the first connection of a client is
// held, then its per_source limit is used up, and each further one is accepted and closed.
const (
	xinetd        = "xinetd"
	xinetdLogging = "xinetd that logs it"
)

// xinetdService is a service with room for one connection of each client, who is held until it
// speaks. It logs whom it refuses if told to.
const xinetdService = `service room
{
	type           = UNLISTED
	bind           = %s
	port           = %d
	socket_type    = stream
	protocol       = tcp
	wait           = no
	user           = root
	server         = %s
	per_source     = 1
	cps            = 1000000 1
	log_type       = SYSLOG daemon info
	log_on_failure = %s
}
`

// fullXinetd starts xinetd and has it hold a connection of client, which the caller must close.
func (l *bench) fullXinetd(name, logOnFailure, logs string, from netip.Addr) (*daemon, *client, error) {
	addr, err := l.freePort()
	if err != nil {
		return nil, nil, err
	}
	conf := filepath.Join(l.dir, name+".conf")
	text := fmt.Sprintf(xinetdService, addr.Addr(), addr.Port(), l.program("floor-c"), logOnFailure)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, nil, err
	}
	pidFile := filepath.Join(l.dir, name+".pid")
	d, err := l.daemon(addr, []string{lab.Find(xinetd), "-dontfork", "-pidfile", pidFile, "-f", conf})
	if err != nil {
		return nil, nil, err
	}
	d.logs = logs
	held, err := dial(from, addr)
	if err != nil {
		d.stop()
		return nil, nil, err
	}
	return d, held, nil
}
