package lab

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// postfixPackage is where tests/setup.sh unpacks Postfix, which cannot be installed beside
// sendmail.
const postfixPackage = "postfix/usr/"

// postfixMaster is the program that starts all others of Postfix.
func postfixMaster() string { return Unpacked(postfixPackage + "lib/postfix/sbin/master") }

// NoPostfix says what the machine lacks for a Postfix of its own; "" is nothing. Only a machine of
// Isolate's has the users that Postfix needs.
func NoPostfix() string {
	if missing := NoNamespaces(); missing != "" {
		return missing
	}
	return Lack(Unpacked(postfixPackage + "sbin/postfix"))
}

// A PostfixSite is a directory with all that a Postfix reads and writes.
type PostfixSite struct {
	Dir string
	// Main are lines of main.cf, after those that every site has.
	Main []string
	// Master are the lines of master.cf.
	Master []string
}

// Services of master.cf that Postfix needs to accept a message and to throw it away.
var PostfixServices = []string{
	"cleanup unix n - n - 0 cleanup",
	"qmgr unix n - n 300 1 qmgr",
	"rewrite unix - - n - - trivial-rewrite",
	"bounce unix - - n - 0 bounce",
	"defer unix - - n - 0 bounce",
	"trace unix - - n - 0 bounce",
	"discard unix - - n - - discard",
	"anvil unix - - n - 1 anvil",
	"proxymap unix - - n - - proxymap",
	"tlsmgr unix - - n 1000? 1 tlsmgr",
}

// Make writes the files of the site, in Dir/etc, Dir/queue and Dir/data.
func (s PostfixSite) Make() error {
	user, err := user.Lookup(PostfixUser)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(user.Uid)
	if err != nil {
		return err
	}
	its := []string{"data"} // what its own user writes to
	for _, queue := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush",
		"hold", "incoming", "private", "public", "saved", "trace"} {
		its = append(its, "queue/"+queue)
	}
	for _, sub := range append([]string{"etc", "queue/pid", "queue/maildrop"}, its...) {
		if err := os.MkdirAll(filepath.Join(s.Dir, sub), 0o755); err != nil {
			return err
		}
	}
	for _, sub := range its {
		if err := os.Chown(filepath.Join(s.Dir, sub), uid, -1); err != nil {
			return err
		}
	}
	main := append([]string{
		"compatibility_level = 3.6",
		"daemon_directory = " + filepath.Dir(postfixMaster()),
		"command_directory = " + Unpacked(postfixPackage+"sbin"),
		"queue_directory = " + filepath.Join(s.Dir, "queue"),
		"data_directory = " + filepath.Join(s.Dir, "data"),
		"mail_owner = " + PostfixUser,
		"setgid_group = " + postfixGroup,
		"import_environment = MAIL_CONFIG LD_LIBRARY_PATH",
		"myhostname = " + HostName,
		"mydestination = " + HostName,
		"inet_protocols = all",
		"alias_maps =",
	}, s.Main...)
	for name, lines := range map[string][]string{"main.cf": main, "master.cf": s.Master} {
		text := strings.Join(lines, "\n") + "\n"
		if err := os.WriteFile(filepath.Join(s.Dir, "etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Command is the site's master, in the foreground.
func (s PostfixSite) Command() *exec.Cmd {
	cmd := exec.Command(postfixMaster(), "-d", "-c", filepath.Join(s.Dir, "etc"))
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+Unpacked(postfixPackage+"lib/postfix"))
	return cmd
}
