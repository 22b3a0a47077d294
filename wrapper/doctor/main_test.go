package doctor

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sendwrap/allowlist"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/surroundings"
)

// The tests have a network and a /proc of their own, and nothing in /run and /dev but devices.
func TestMain(m *testing.M) { os.Exit(lab.Isolate(lab.Setup{Run: m.Run})) }

// files are those of a machine. A text that begins with "-> " is a link.
type files = map[string]string

// site makes a site of a sendwrap.conf and the files of a machine.
func site(t *testing.T, conf string, machine files) *Site {
	t.Helper()
	root := t.TempDir()
	all := files{"/sendwrap.conf": conf}
	maps.Copy(all, machine)
	for name, text := range all {
		name = filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if to, isLink := strings.CutPrefix(text, "-> "); err == nil && isLink {
			err = os.Symlink(to, name)
		} else if err == nil {
			err = os.WriteFile(name, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(root, "sendwrap.conf"), allowlist.All())
	if err != nil {
		t.Fatal(err)
	}
	return &Site{Config: c, Machine: surroundings.Machine{Root: root}}
}

// found are the findings with this key, without its severity and what follows.
func (s *Site) found(key string) string {
	var all []string
	for _, f := range s.Findings(false) {
		if f.Key == key {
			where := strings.Replace(f.Where, s.Config.Files[0], "CONF", 1)
			all = append(all, fmt.Sprintf("%s: %s; %s", where, f.What, f.Write))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// packaged is a file of packaging/ in which texts are replaced, in pairs.
func packaged(t *testing.T, name string, replaced ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../packaging", name))
	if err != nil {
		t.Fatal(err)
	}
	all := string(text)
	for i := 0; i+1 < len(replaced); i += 2 {
		if !strings.Contains(all, replaced[i]) {
			t.Fatalf("%s does not contain %q", name, replaced[i])
		}
		all = strings.Replace(all, replaced[i], replaced[i+1], 1)
	}
	return all
}

const (
	sendwrap = "/usr/local/sbin/sendwrap"
	includes = "defaults\n{\n\tinstances = 60\n}\nincludedir /etc/xinetd.d\n"
	units    = "/etc/systemd/system/"
)

// inetd is a machine with this line of inetd.conf.
func inetd(line string) files {
	return files{surroundings.InetdConf: "# services\n" + line + "\n", sendwrap: "program"}
}

// xinetd is a machine with the service of packaging/xinetd.
func xinetd(t *testing.T, replaced ...string) files {
	return files{surroundings.XinetdConf: includes, sendwrap: "program",
		"/etc/xinetd.d/sendwrap": packaged(t, "xinetd/sendwrap", replaced...)}
}

// systemd is a machine with the units of packaging/ that start a process for each client. A text is
// replaced in the one of the two that has it.
func systemd(t *testing.T, replaced ...string) files {
	return enabled(t, "sendwrap.socket", "sendwrap@.service", replaced...)
}

// room is a machine with the room's units.
func room(t *testing.T, replaced ...string) files {
	return enabled(t, "sendwrap-room.socket", "sendwrap.service", replaced...)
}

func enabled(t *testing.T, socket, service string, replaced ...string) files {
	all := files{sendwrap: "program", units + "sockets.target.wants/" + socket: "-> ../" + socket}
	for _, name := range []string{socket, service} {
		var here []string
		for i := 0; i+1 < len(replaced); i += 2 {
			if strings.Contains(packaged(t, name), replaced[i]) {
				here = append(here, replaced[i:i+2]...)
			}
		}
		all[units+name] = packaged(t, name, here...)
	}
	return all
}

// lineOf is the number of the first line of a file that begins with a text.
func (s *Site) lineOf(t *testing.T, name, begins string) string {
	t.Helper()
	text, _ := s.Machine.Text(name)
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, begins) {
			return fmt.Sprintf("%s:%d", name, i+1)
		}
	}
	t.Fatalf("%s has no line %q", name, begins)
	return ""
}
