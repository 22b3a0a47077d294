package surroundings

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// unitDirs are where systemd looks for units. A file in an earlier one hides those of the same name
// in later ones (systemd.unit(5)).
var unitDirs = []string{
	"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system", "/lib/systemd/system",
}

// Unit is a unit of systemd with its drop-ins, as its files have it. What systemctl set-property or
// edit has changed is in such files, too.
type Unit struct {
	Name    string
	File    string // of the unit itself
	Enabled bool   // a target wants it
	lines   []setting
}

type setting struct{ section, key, value, where string }

// Socket is a socket unit, and the service that it starts.
type Socket struct {
	Unit
	Service Unit // without a File if there is none
}

// Sockets are all socket units that listen on a stream.
func (m Machine) Sockets() (all []Socket) {
	seen := map[string]bool{}
	for _, dir := range unitDirs {
		for _, file := range m.glob(dir + "/*.socket") {
			name := filepath.Base(file)
			if seen[name] {
				continue
			}
			seen[name] = true
			unit, found := m.Unit(name)
			if !found || len(unit.Values("Socket", "ListenStream")) == 0 {
				continue
			}
			s := Socket{Unit: unit}
			s.Service, _ = m.Unit(s.ServiceName())
			all = append(all, s)
		}
	}
	return all
}

// Room reports whether one process gets the listening socket.
func (s *Socket) Room() bool { return !IsYes(s.Value("Socket", "Accept", "no")) }

// ServiceName is the unit that the socket starts: with Accept=yes a template.
func (s *Socket) ServiceName() string {
	base := strings.TrimSuffix(s.Name, ".socket")
	if !s.Room() {
		return base + "@.service"
	}
	return s.Value("Socket", "Service", base+".service")
}

// Services are the service units whose file contains a text, templates excepted.
func (m Machine) Services(containing string) (all []Unit) {
	seen := map[string]bool{}
	for _, dir := range unitDirs {
		for _, file := range m.glob(dir + "/*.service") {
			name := filepath.Base(file)
			if seen[name] || strings.HasSuffix(name, "@.service") {
				continue
			}
			seen[name] = true
			if text, _ := m.Text(file); !strings.Contains(text, containing) {
				continue
			}
			if unit, found := m.Unit(name); found {
				all = append(all, unit)
			}
		}
	}
	return all
}

// Unit reads a unit with its drop-ins; found is false if there is none, or if it is masked.
func (m Machine) Unit(name string) (u Unit, found bool) {
	for _, dir := range unitDirs {
		file := filepath.Join(dir, name)
		if text, isFile := m.Text(file); isFile && text != "" {
			u = Unit{Name: name, File: file, lines: settings(file, text)}
			break
		} else if len(m.glob(file)) > 0 {
			return u, false // it is masked: an empty file, or a link to /dev/null
		}
	}
	if u.File == "" {
		return u, false
	}
	for _, file := range m.dropIns(name) {
		text, _ := m.Text(file)
		u.lines = append(u.lines, settings(file, text)...)
	}
	for _, dir := range unitDirs {
		u.Enabled = u.Enabled || len(m.glob(dir+"/*.wants/"+name)) > 0 ||
			len(m.glob(dir+"/*.requires/"+name)) > 0
	}
	return u, true
}

// dropIns are the unit's drop-ins, in the order in which they hold: by their own names, whatever
// the directory. Of two with the same name the one in the earlier directory holds.
func (m Machine) dropIns(unit string) (files []string) {
	kind := strings.TrimPrefix(filepath.Ext(unit), ".")
	for _, name := range []string{kind + ".d", unit + ".d"} {
		byName := map[string]string{}
		for _, dir := range unitDirs {
			for _, file := range m.glob(filepath.Join(dir, name, "*.conf")) {
				if base := filepath.Base(file); byName[base] == "" {
					byName[base] = file
				}
			}
		}
		names := []string{}
		for base := range byName {
			names = append(names, base)
		}
		slices.Sort(names)
		for _, base := range names {
			files = append(files, byName[base])
		}
	}
	return files
}

// Values are all values of a setting; an empty one has reset those before it.
func (u *Unit) Values(section, key string) (values []string) {
	for _, s := range u.lines {
		switch {
		case s.section != section || s.key != key:
		case s.value == "":
			values = nil
		default:
			values = append(values, s.value)
		}
	}
	return values
}

// Value is the last value of a setting, or otherwise, which is systemd's default.
func (u *Unit) Value(section, key, otherwise string) string {
	if values := u.Values(section, key); len(values) > 0 {
		return values[len(values)-1]
	}
	return otherwise
}

// Where is the FILE:LINE that has set it last, or the unit's file if none does.
func (u *Unit) Where(section, key string) string {
	where := u.File
	for _, s := range u.lines {
		if s.section == section && s.key == key {
			where = s.where
		}
	}
	return where
}

// Program is what a service starts, with its arguments, without the prefixes of systemd.service(5).
func (u *Unit) Program() []string {
	words := strings.Fields(u.Value("Service", "ExecStart", ""))
	if len(words) > 0 {
		words[0] = strings.TrimLeft(words[0], "-@:+!")
	}
	return words
}

// IsYes reports whether systemd takes a value for yes.
func IsYes(value string) bool {
	switch strings.ToLower(value) {
	case "yes", "y", "true", "t", "on", "1":
		return true
	}
	return false
}

// settings reads a file of a unit.
func settings(file, text string) (all []setting) {
	section, number := "", 0
	joined, from := "", 0 // a line that goes on, and its number
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		if joined == "" {
			from = number
		}
		joined += line
		if before, goesOn := strings.CutSuffix(joined, `\`); goesOn {
			joined = before + " "
			continue
		}
		key, value, isSetting := strings.Cut(joined, "=")
		if strings.HasPrefix(joined, "[") {
			section = strings.Trim(joined, "[]")
		} else if isSetting {
			all = append(all, setting{section, strings.TrimSpace(key), strings.TrimSpace(value),
				file + ":" + strconv.Itoa(from)})
		}
		joined = ""
	}
	return all
}
