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
func (l *bench) fullXinetd(name, logOnFailure, logs string, from netip.Addr) (*daemon, *client) {
	addr := l.freePort()
	conf := filepath.Join(l.dir, name+".conf")
	text := fmt.Sprintf(xinetdService, addr.Addr(), addr.Port(), l.program("floor-c"), logOnFailure)
	check(os.WriteFile(conf, []byte(text), 0o644))
	pidFile := filepath.Join(l.dir, name+".pid")
	d := l.daemon(addr, []string{lab.Find(xinetd), "-dontfork", "-pidfile", pidFile, "-f", conf})
	d.logs = logs
	return d, must(dial(from, addr))
}
