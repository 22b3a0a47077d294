package main

import (
	"net/netip"
	"path/filepath"
	"strings"

	"sendwrap/tests/lab"
)

// postscreen is the name of Postfix's room.
const postscreen = "postscreen"

// postscreen starts Postfix with a postscreen that tests early talkers only, and more parameters of
// postconf(5). Its master listens, and starts postscreen when the first client comes. logs is the
// word that stands in its log for each client.
func (l *bench) postscreen(name, logs string, parameters ...string) *daemon {
	addr := l.freePort()
	d := l.postfix(addr, lab.PostfixSite{
		Dir: filepath.Join(l.dir, name),
		Main: append([]string{
			// No client is exempt; and all limits of a client's connections are raised: programs
			// differ in their defaults.
			"postscreen_access_list =",
			"postscreen_greet_wait = 6s",
			"postscreen_greet_action = drop",
			"postscreen_client_connection_count_limit = 0",
		}, parameters...),
		Master: []string{
			addr.String() + " inet n - n - 1 postscreen",
			"smtpd pass - - n - - smtpd",
			"dnsblog unix - - n - 0 dnsblog",
			"anvil unix - - n - 1 anvil",
		},
	})
	d.logs = postscreen + " " + logs
	return d
}

// postfix starts the Postfix of a site, which listens on addr.
func (l *bench) postfix(addr netip.AddrPort, site lab.PostfixSite) *daemon {
	all := []string{"inet_protocols = ipv4", "default_process_limit = 20000"}
	site.Main = append(all, site.Main...)
	check(site.Make())
	cmd := site.Command()
	return l.daemon(addr, cmd.Args, cmd.Env...)
}

// smtpd starts a Postfix that takes mail for the valid names, with more parameters of postconf(5).
func (l *bench) smtpd(name string, parameters ...string) *daemon {
	addr := l.freePort()
	var valid []string
	for _, name := range validNames() {
		valid = append(valid, "{"+name+"=x}")
	}
	return l.postfix(addr, lab.PostfixSite{
		Dir: filepath.Join(l.dir, name),
		Main: append([]string{
			"local_recipient_maps = inline:{" + strings.Join(valid, ", ") + "}",
			"local_transport = discard:",
			// Its processes stay, so that their CPU time can be asked for.
			"max_use = 1000000",
			"max_idle = 1h",
			"ipc_idle = 1h",
			"ipc_ttl = 1h",
		}, parameters...),
		Master: append([]string{addr.String() + " inet n - n - - smtpd"}, lab.PostfixServices...),
	})
}
