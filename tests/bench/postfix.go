package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// postscreen is the name of Postfix's room.
const postscreen = "postscreen"

// postfixPackage is where setup.sh unpacks Postfix: it cannot be installed beside sendmail.
const postfixPackage = "postfix/usr/"

// Postfix wants a user and a group of its own. furnish makes them in the
// namespace's own files: any ids will do that the machine does not use.
const (
	postfixUser  = "postfix"
	postfixGroup = "postdrop"
	postfixID    = 64001
)

// lackOfPostfix says why there is no postscreen to compare with, "" if there is one.
func lackOfPostfix() string {
	if !exists(unpacked(postfixPackage + "sbin/postfix")) {
		return "no Postfix; tests/setup.sh unpacks it"
	}
	return ""
}

// addPostfix returns the text of /etc/passwd or /etc/group with what Postfix
// wants, which it may already have.
func addPostfix(text, format string, names ...string) string {
	for i, name := range names {
		if !strings.HasPrefix(text, name+":") && !strings.Contains(text, "\n"+name+":") {
			text += fmt.Sprintf(format, name, postfixID+i)
		}
	}
	return text
}

// postscreen starts Postfix with a postscreen that tests early talkers only, and
// more parameters of postconf(5). Its master listens, and starts postscreen
// when the first client comes. logs is the word that stands in its log for
// each client.
func (l *lab) postscreen(name, logs string, parameters ...string) (*daemon, error) {
	addr, err := l.freePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(l.dir, name)
	parameters = append([]string{
		// Nobody is exempt; and no limit but what the machine bears, of which each
		// has its own default in others.
		"postscreen_access_list =",
		"postscreen_greet_wait = 6s",
		"postscreen_greet_action = drop",
		"postscreen_client_connection_count_limit = 0",
	}, parameters...)
	services := []string{
		addr.String() + " inet n - n - 1 postscreen",
		"smtpd pass - - n - - smtpd",
		"anvil unix - - n - 1 anvil",
	}
	if err := l.configurePostfix(dir, parameters, services); err != nil {
		return nil, err
	}
	d, err := l.postfixMaster(dir, addr)
	if err != nil {
		return nil, err
	}
	d.logs = postscreen + " " + logs
	return d, nil
}

// postfixMaster starts the Postfix of dir, which listens on addr.
func (l *lab) postfixMaster(dir string, addr netip.AddrPort) (*daemon, error) {
	master := unpacked(postfixPackage + "lib/postfix/sbin/master")
	return l.daemon(addr, []string{master, "-d", "-c", filepath.Join(dir, "etc")}, "LD_LIBRARY_PATH="+postfixLibraries())
}

// postfixLibraries is where Postfix's own libraries lie.
func postfixLibraries() string { return unpacked(postfixPackage + "lib/postfix") }

// configurePostfix makes what Postfix wants to find in dir, with more parameters
// of postconf(5) and the services of master(5).
func (l *lab) configurePostfix(dir string, parameters, services []string) error {
	user, err := osuser.Lookup(postfixUser)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(user.Uid)
	if err != nil {
		return err
	}
	its := []string{"data"}
	for _, queue := range []string{"public", "private", "incoming", "active", "deferred", "defer", "bounce", "hold", "corrupt", "flush", "trace"} {
		its = append(its, filepath.Join("queue", queue))
	}
	for _, sub := range append([]string{"etc", "queue/pid"}, its...) {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for _, sub := range its {
		if err := os.Chown(filepath.Join(dir, sub), uid, -1); err != nil {
			return err
		}
	}
	main := append([]string{
		"compatibility_level = 3.6",
		"daemon_directory = " + unpacked(postfixPackage+"lib/postfix/sbin"),
		"command_directory = " + unpacked(postfixPackage+"sbin"),
		"queue_directory = " + filepath.Join(dir, "queue"),
		"data_directory = " + filepath.Join(dir, "data"),
		"mail_owner = " + postfixUser,
		"setgid_group = " + postfixGroup,
		"import_environment = MAIL_CONFIG LD_LIBRARY_PATH",
		"myhostname = " + hostName,
		"inet_protocols = ipv4",
		"alias_maps =",
		"default_process_limit = 20000",
	}, parameters...)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "etc/main.cf"), []byte(strings.Join(main, "\n")+"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "etc/master.cf"), []byte(strings.Join(services, "\n")+"\n"), 0o644))
}
