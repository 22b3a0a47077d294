package surroundings

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// InetdConf is inetd's configuration.
const InetdConf = "/etc/inetd.conf"

// off is what update-inetd of Debian puts before a line that it switches off.
const off = "#<off>#"

// InetdLine is a service of inetd.conf. Comments are none, but lines that update-inetd has switched
// off are.
type InetdLine struct {
	Number  int // of the line
	Off     bool
	Service string   // such as smtp, 25, 192.0.2.1:25
	Socket  string   // stream
	Proto   string   // tcp, tcp4, tcp6
	Room    bool     // wait: one process gets the listening socket
	Max     string   // behind nowait or wait: starts a minute; "" is inetd's own 256
	User    string   // without group and login class
	Program []string // with its arguments, from the first word that is a path or internal
}

// InetdLines are all services of inetd.conf.
func (m Machine) InetdLines() (all []InetdLine) {
	text, _ := m.Text(InetdConf)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, isOff := strings.CutPrefix(line, off)
		words := strings.Fields(line)
		if len(words) < 6 || strings.HasPrefix(words[0], "#") {
			continue
		}
		wait, most := cutAny(words[3], "./")
		user, _ := cutAny(words[4], ".:/")
		all = append(all, InetdLine{number, isOff, words[0], words[1], words[2],
			wait == "wait", most, user, words[5:]})
	}
	return all
}

// Where is the line's place.
func (l *InetdLine) Where() string { return InetdConf + ":" + strconv.Itoa(l.Number) }

// Sendwrap is the sendwrap that a command starts, behind tcpd or a program like that, too; "" if it
// starts none.
func Sendwrap(command []string) (program string) {
	i := slices.IndexFunc(command, func(word string) bool {
		return filepath.Base(word) == "sendwrap"
	})
	if i < 0 {
		return ""
	}
	return command[i]
}

// cutAny cuts at the first of some characters behind the beginning.
func cutAny(text, chars string) (before, after string) {
	if i := strings.IndexAny(text, chars); i > 0 {
		return text[:i], text[i+1:]
	}
	return text, ""
}
