package doctor

import (
	"os"
	"strings"
	"testing"
)

// What is wrong with that which starts sendwrap is found with the real files, and not once it is
// as packaging/ has it. LINE:TEXT in what is wanted is the line that begins with TEXT.
func TestFaultsOfStarters(t *testing.T) {
	const cure = "write 25 in place of smtp, and restart inetd"
	const line = "stream tcp nowait.60000 root " + sendwrap + " sendwrap"
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	debian := func(line string) files {
		all := inetd(line)
		all["/usr/share/sendmail/update_conf"] = "#!/bin/sh\n"
		return all
	}
	dotted := files{"/etc/xinetd.conf": includes, sendwrap: "program",
		"/etc/xinetd.d/sendwrap.conf": packaged(t, "xinetd/sendwrap")}
	xfile, socket, service := "/etc/xinetd.d/sendwrap", units+"sendwrap.socket",
		units+"sendwrap@.service"
	theRoom := units + "sendwrap.service"
	for _, tt := range []struct {
		key     string
		machine files
		where   string // FILE, and what its line begins with
		want    string // WHAT; WRITE
	}{
		{"off", inetd("#<off># smtp " + line), "/etc/inetd.conf #<off>",
			"this line is switched off; remove #<off>#, " + cure},
		{"off", inetd("#<off>#smtp " + line), "/etc/inetd.conf #<off>",
			"this line is switched off; remove #<off>#, " + cure},
		{"off", inetd("#<off># smtp " + line + "\n25 " + line), "", ""},
		{"off", inetd("#<off># smtp " + line + "\n2525 " + line), "/etc/inetd.conf #<off>",
			"this line is switched off; remove #<off>#, " + cure},
		{"off", inetd("#smtp " + line), "", ""},
		{"off", inetd("#<off># smtp stream tcp nowait root /usr/sbin/sendmail sendmail -bs"), "",
			""},
		{"off", dotted, "/etc/xinetd.d/sendwrap.conf", "xinetd does not read this file: its name " +
			"has a dot; rename it, and restart xinetd"},
		{"off", xinetd(t, "disable		= no", "disable = yes"), xfile + " service",
			"this service is disabled; write disable = no, and restart xinetd"},
		{"off", xinetd(t, "disable		= no", "port = 2525"), "", ""},
		{"smtp_line", debian("smtp " + line), "/etc/inetd.conf smtp",
			"it begins with smtp; " + cure},
		{"smtp_line", inetd("smtp " + line), "", ""},
		{"smtp_line", debian("192.0.2.1:25 " + line), "", ""},
		{"smtp_line", debian("smtp " + line + "\n25 " + line), "", ""},
		{"program", inetd("25 stream tcp nowait.60000 root /no/sendwrap sendwrap"),
			"/etc/inetd.conf 25", "no such file /no/sendwrap; write " + self +
				", and restart inetd"},
		{"program", inetd("25 stream tcp nowait.60000 root /usr/sbin/tcpd /no/sendwrap"),
			"/etc/inetd.conf 25", "no such file /no/sendwrap; write " + self +
				", and restart inetd"},
		{"program", xinetd(t, sendwrap, "/no/sendwrap"), xfile + " service",
			"no such file /no/sendwrap; write " + self + ", and restart xinetd"},
		{"program", systemd(t, sendwrap, "/no/sendwrap"), service + " ExecStart",
			"no such file /no/sendwrap; write " + self + ", and systemctl daemon-reload"},
		{"user", inetd("25 stream tcp nowait.60000 mail:mail " + sendwrap + " sendwrap"),
			"/etc/inetd.conf 25", "user mail; write root, and restart inetd"},
		{"user", inetd("25 stream tcp wait root.root " + sendwrap + " sendwrap"), "", ""},
		{"user", inetd("25 stream tcp wait 0 " + sendwrap + " sendwrap"), "", ""},
		{"user", xinetd(t, "user		= root", "user = mail"), xfile + " service",
			"user mail; write root, and restart xinetd"},
		{"user", systemd(t, "KillMode=process", "KillMode=process\nUser=mail"), service + " User",
			"user mail; write root, and systemctl daemon-reload"},
		{"starts", inetd("25 stream tcp nowait root " + sendwrap + " sendwrap"),
			"/etc/inetd.conf 25", "nowait without a number, so 256 starts in a minute, and " +
				"then inetd closes the port for ten minutes; write nowait.60000" +
				", and restart inetd"},
		{"starts", inetd("25 stream tcp nowait.0 root " + sendwrap + " sendwrap"),
			"/etc/inetd.conf 25", "nowait.0, so 256 starts in a minute, and then inetd closes " +
				"the port for ten minutes; write nowait.60000, and restart inetd"},
		{"starts", inetd("25 stream tcp nowait.1299 root " + sendwrap + " sendwrap"),
			"/etc/inetd.conf 25", "nowait.1299, so 1299 starts in a minute, and then inetd " +
				"closes the port for ten minutes; write nowait.60000, and restart inetd"},
		{"starts", inetd("25 stream tcp nowait.1300 root " + sendwrap + " sendwrap"), "", ""},
		{"starts", inetd("25 stream tcp wait root " + sendwrap + " sendwrap"), "", ""},
		{"starts", xinetd(t, "cps		= 10000 1", "cps = 100 10"), xfile + " service",
			"cps 100; write cps = 10000 1, and restart xinetd"},
		{"starts", xinetd(t, "	cps		= 10000 1", "", "wait		= no", "wait = yes"), "",
			""},
		{"starts", xinetd(t, "	cps		= 10000 1", ""), xfile + " service",
			"cps 50; write cps = 10000 1, and restart xinetd"},
		{"starts", systemd(t, "TriggerLimitIntervalSec=0", ""), socket,
			"200 starts within 2s, and the socket fails; write TriggerLimitIntervalSec=0" +
				", and systemctl daemon-reload"},
		{"starts", systemd(t, "TriggerLimitIntervalSec=0", "TriggerLimitBurst=0"), "", ""},
		{"starts", systemd(t, "TriggerLimitIntervalSec=0", "TriggerLimitBurst=1300"), "", ""},
		{"starts", systemd(t, "TriggerLimitIntervalSec=0", "TriggerLimitIntervalSec=0s"), "", ""},
		{"starts", room(t, "TriggerLimitIntervalSec=0", "TriggerLimitIntervalSec=5s"),
			units + "sendwrap-room.socket Trigger", "20 starts within 5s, and the socket fails; " +
				"write TriggerLimitIntervalSec=0, and systemctl daemon-reload"},
		{"starts", room(t, "\nStartLimitIntervalSec=0", "\n"), theRoom,
			"after 5 starts within 10s the service fails, and its socket; " +
				"write StartLimitIntervalSec=0, and systemctl daemon-reload"},
		{"connections", xinetd(t, "	instances	= 1500", ""), xfile + " service",
			"instances 60; write instances = 1500, and restart xinetd"},
		{"connections", xinetd(t, "instances	= 1500", "instances = UNLIMITED"), "", ""},
		{"connections", systemd(t, "\nMaxConnections=1500", "\n"), socket,
			"MaxConnections=64; write MaxConnections=1500, and systemctl daemon-reload"},
		{"connections", systemd(t, "\nMaxConnections=1500", "\nMaxConnections=1299"),
			socket + " MaxConn", "MaxConnections=1299; write MaxConnections=1500" +
				", and systemctl daemon-reload"},
		{"per_source", xinetd(t, "per_source	= UNLIMITED", "per_source = 10"),
			xfile + " service", "per_source 10; write per_source = UNLIMITED, and restart xinetd"},
		{"per_source", xinetd(t, "per_source	= UNLIMITED", "per_source = 50"), "", ""},
		{"per_source", xinetd(t, "per_source	= UNLIMITED", "per_source = 10",
			"wait		= no", "wait = yes"), "", ""},
		{"per_source", systemd(t, "Accept=yes", "Accept=yes\nMaxConnectionsPerSource=10"),
			socket + " MaxConnectionsPer", "MaxConnectionsPerSource=10; " +
				"remove MaxConnectionsPerSource, and systemctl daemon-reload"},
		{"per_source", systemd(t, "Accept=yes", "Accept=yes\nMaxConnectionsPerSource=0"), "", ""},
		{"address_space", xinetd(t, "groups		= yes", "rlimit_as = 100M"), xfile + " service",
			"rlimit_as 100M; remove rlimit_as, and restart xinetd"},
		{"address_space", xinetd(t, "groups		= yes", "rlimit_as = 2048M"), "", ""},
		{"address_space", room(t, "TasksMax=3000", "LimitAS=512M:8G"), theRoom + " LimitAS",
			"LimitAS 512M; write LimitAS=infinity, and systemctl daemon-reload"},
		{"address_space", room(t, "TasksMax=3000", "LimitAS=8G:infinity"), "", ""},
		{"kill_mode", systemd(t, "KillMode=process", ""), service,
			"KillMode=control-group; write KillMode=process, and systemctl daemon-reload"},
		{"kill_mode", room(t, "KillMode=process", "KillMode=mixed"), theRoom + " KillMode",
			"KillMode=mixed; write KillMode=process, and systemctl daemon-reload"},
		{"kill_mode", systemd(t, "KillMode=process", "KillMode=none"), "", ""},
		{"ready", systemd(t, "KillMode=process", "Type=forking"), service + " Type",
			"Type=forking; remove Type, and systemctl daemon-reload"},
		{"ready", systemd(t, "KillMode=process", "Type=notify"), service + " Type",
			"Type=notify; remove Type, and systemctl daemon-reload"},
		{"ready", room(t, "NotifyAccess=main", "NotifyAccess=none"), theRoom + " NotifyAccess",
			"NotifyAccess=none; write NotifyAccess=main, and systemctl daemon-reload"},
		{"stderr", systemd(t, "StandardError=journal", ""), service,
			"StandardError=inherit; write StandardError=journal, and systemctl daemon-reload"},
		{"stderr", systemd(t, "StandardError=journal", "StandardError=socket"),
			service + " StandardError", "StandardError=socket; write StandardError=journal" +
				", and systemctl daemon-reload"},
		{"submission", inetd("587 " + line), "/etc/inetd.conf 587",
			"sendwrap is to have port 587; leave that port to the MTA's own daemon" +
				", and restart inetd"},
		{"submission", inetd("#<off># 587 " + line), "", ""},
		{"submission", inetd("smtps " + line), "/etc/inetd.conf smtps",
			"sendwrap is to have port 465; leave that port to the MTA's own daemon" +
				", and restart inetd"},
		{"submission", systemd(t, "ListenStream=25", "ListenStream=25\nListenStream=[::]:465"),
			socket, "sendwrap is to have port 465; leave that port to the MTA's own daemon" +
				", and systemctl daemon-reload"},
	} {
		s := site(t, "", tt.machine)
		want := ""
		if file, begins, isLine := strings.Cut(tt.where, " "); isLine {
			want = s.lineOf(t, file, begins) + ": " + tt.want
		} else if file != "" {
			want = file + ": " + tt.want
		}
		if got := s.found(tt.key); got != want {
			t.Errorf("%s:\n got %q\nwant %q\n%v", tt.key, got, want, tt.machine)
		}
	}
	for name, machine := range map[string]files{
		"inetd":  {"/etc/inetd.conf": packaged(t, "inetd.conf"), sendwrap: "program"},
		"xinetd": xinetd(t),
		"xinetd-room": {"/etc/xinetd.conf": includes, sendwrap: "program",
			"/etc/xinetd.d/sendwrap": packaged(t, "xinetd/sendwrap-room")},
		"systemd":      systemd(t),
		"systemd-room": room(t),
	} {
		if all := site(t, "allow 127.0.0.0/8 ::1\n", machine).Findings(true); len(all) > 0 {
			t.Errorf("%s as it is packaged: %v", name, all)
		}
	}
}
