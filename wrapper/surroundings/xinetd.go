package surroundings

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// XinetdConf is xinetd's configuration, which includes others.
const XinetdConf = "/etc/xinetd.conf"

// XinetdService is a service of xinetd.
type XinetdService struct {
	File string
	Line int // where it begins
	Name string
	Off  bool
	// Unread says why xinetd does not read the file, for one that lies beside those that it reads;
	// "" if it does.
	Unread string
	// Values of its attributes, and of the defaults that it does not set itself.
	Values map[string][]string
}

// XinetdServices are all services of xinetd.conf and of the files that it includes, and those in
// files that it passes over, since their name has a dot or ends with a tilde (xinetd.conf(5),
// includedir).
func (m Machine) XinetdServices() (all []XinetdService) {
	r := xinetdReader{machine: m, defaults: map[string][]string{}}
	r.file(XinetdConf, "")
	for _, s := range r.services {
		for name, values := range r.defaults {
			if _, set := s.Values[name]; !set {
				s.Values[name] = values
			}
		}
		id := s.Value("id", s.Name)
		s.Off = s.Value("disable", "no") == "yes" || slices.Contains(r.defaults["disabled"], id) ||
			len(r.defaults["enabled"]) > 0 && !slices.Contains(r.defaults["enabled"], id)
		all = append(all, s)
	}
	return all
}

// Where is the place where the service begins.
func (s *XinetdService) Where() string { return s.File + ":" + strconv.Itoa(s.Line) }

// Value is the first value of an attribute, or otherwise.
func (s *XinetdService) Value(name, otherwise string) string {
	if values := s.Values[name]; len(values) > 0 {
		return values[0]
	}
	return otherwise
}

// Program is what the service starts, with its arguments.
func (s *XinetdService) Program() []string {
	return append(slices.Clone(s.Values["server"]), s.Values["server_args"]...)
}

// Room reports whether one process gets the listening socket.
func (s *XinetdService) Room() bool { return s.Value("wait", "no") == "yes" }

// xinetdReader reads files of xinetd.
type xinetdReader struct {
	machine  Machine
	files    int
	defaults map[string][]string
	services []XinetdService
}

// maxIncluded is how many files of xinetd are read: an endless include ends there.
const maxIncluded = 1000

func (r *xinetdReader) file(name, unread string) {
	if r.files++; r.files > maxIncluded {
		return
	}
	text, _ := r.machine.Text(name)
	number := 0
	values := map[string][]string(nil) // of the section that the line is in
	for line := range strings.Lines(text) {
		number++
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#") || words[0] == "{":
		case words[0] == "}":
			values = nil
		case values != nil:
			setAttribute(values, strings.TrimSpace(line))
		case words[0] == "defaults" && unread == "":
			values = r.defaults
		case words[0] == "service" && len(words) > 1:
			values = map[string][]string{}
			r.services = append(r.services, XinetdService{File: name, Line: number,
				Name: words[1], Unread: unread, Values: values})
		case words[0] == "include" && len(words) > 1:
			r.file(words[1], unread)
		case words[0] == "includedir" && len(words) > 1:
			for _, file := range r.machine.glob(filepath.Join(words[1], "*")) {
				r.file(file, passedOver(filepath.Base(file)))
			}
		}
	}
}

// passedOver says why includedir passes over a file of that name.
func passedOver(name string) string {
	switch {
	case strings.Contains(name, "."):
		return "its name has a dot"
	case strings.HasSuffix(name, "~"):
		return "its name ends with ~"
	}
	return ""
}

// setAttribute reads a line of a section: name = values, += or -=.
func setAttribute(values map[string][]string, line string) {
	name, value, found := strings.Cut(line, "=")
	if !found {
		return
	}
	words := strings.Fields(value)
	switch key := strings.TrimSpace(strings.TrimRight(name, " \t+-")); {
	case strings.HasSuffix(name, "+"):
		values[key] = append(values[key], words...)
	case strings.HasSuffix(name, "-"):
		values[key] = slices.DeleteFunc(slices.Clone(values[key]), func(word string) bool {
			return slices.Contains(words, word)
		})
	default:
		values[key] = words
	}
}
