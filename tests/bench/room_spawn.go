package main

import (
	"fmt"
	"os"
	osuser "os/user"
	"path/filepath"
	"strings"
)

// inetd is the super-server that the room's start of an MTA is measured beside.
const inetd = "inetd"

// measureRoomSpawn measures how much later the MTA greets a client that need
// not wait because the room starts it and not inetd.
func measureRoomSpawn(l *lab) ([]row, error) {
	const what = "greeting of a client that the room lets pass at once"
	if find(inetd) == "" {
		return []row{{What: what, Skipped: "no " + inetd}}, nil
	}
	i, err := l.instance("room-spawn", "mta "+l.program("stub"), "allow "+l.network.String())
	if err != nil {
		return nil, err
	}
	room, err := l.room(i)
	if err != nil {
		return nil, err
	}
	defer room.stop()
	bare, err := l.inetd(l.program("stub"))
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	peers := []peer{i.in(room, stubGreeting), {name: inetd, at: bare, says: stubGreeting}}
	got, err := takeTurns(l.rounds, l.slices, peers, func(p peer) (samples []sample, err error) {
		err = p.reaching("ALLOWED", l.conns, func() (err error) {
			samples, err = p.greetings(l.conns, l.client)
			return err
		})
		return samples, err
	})
	if err != nil {
		return nil, err
	}
	answer := got.reduce(medianAnswer)
	return []row{
		answer.row(what, "ms").against(answer, inetd),
		answer.minus(inetd).row("what of that the room adds to "+inetd, "ms"),
	}, room.stop()
}

// inetd starts an inetd that starts a program for each client, as many as come.
func (l *lab) inetd(argv ...string) (*daemon, error) {
	addr, err := l.freePort()
	if err != nil {
		return nil, err
	}
	user, err := osuser.Current()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(l.dir, fmt.Sprintf("inetd-%d.conf", addr.Port()))
	line := fmt.Sprintf("%v stream tcp4 nowait.100000 %s %s %s\n", addr, user.Username, argv[0],
		strings.Join(append([]string{filepath.Base(argv[0])}, argv[1:]...), " "))
	if err := os.WriteFile(conf, []byte(line), 0o644); err != nil {
		return nil, err
	}
	return l.daemon(addr, []string{find(inetd), "-i", conf})
}
