package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"sendwrap/wrapper/surroundings"
)

// starter is what will start sendwrap for each client.
type starter struct {
	name    string // as people call it
	process string // its name in /proc/PID/comm
	steps   func() ([]Step, error)
}

// starter is the super-server that runs, or else one that is installed. inetd and xinetd come
// before systemd: where they run, an administrator wants that.
func (s *Site) starter() (starter, error) {
	all := []starter{
		{"inetd", "inetd", s.inetd}, {"xinetd", "xinetd", s.xinetd},
		{"systemd", "systemd", s.systemd},
	}
	installed := s.SuperServers()
	for _, one := range all {
		if slices.Contains(installed, one.name) && slices.Contains(s.Running, one.process) {
			return one, nil
		}
	}
	for _, one := range all {
		if slices.Contains(installed, one.name) {
			return one, nil
		}
	}
	return starter{}, errors.New("no inetd, no xinetd, and systemd does not run this machine; " +
		"install openbsd-inetd, or in a container start sendwrap listen 25" + chapterStart)
}

// inetd has it start sendwrap.
func (s *Site) inetd() ([]Step, error) {
	for _, l := range s.InetdLines() {
		if !l.Off && surroundings.IsPort([]string{l.Service}, "25", "smtp") {
			return nil, fmt.Errorf("%s: inetd starts %s for port 25; write %s in its place%s",
				l.Where(), l.Program[0], s.Program, chapterStart)
		}
	}
	old, _ := s.Text(surroundings.InetdConf)
	text := old
	ports := []string{"25"}
	if at := s.addresses(); at != nil {
		ports = nil
		for _, addr := range at {
			ports = append(ports, host(addr)+":25")
		}
	}
	for _, port := range ports {
		text = withLine(text, port+" stream tcp nowait.60000 root "+s.Program+" sendwrap")
	}
	return s.service("openbsd-inetd", "inetd", Step{
		What: surroundings.InetdConf + ": inetd starts sendwrap",
		File: &File{Name: surroundings.InetdConf, Old: old, Text: text, Mode: 0o644},
	}), nil
}

// service has a super-server read a file, on both ways. One that does not run starts, and stops on
// the way back.
func (s *Site) service(name, process string, files ...Step) []Step {
	begin, end := "start", "stop"
	if slices.Contains(s.Running, process) {
		begin, end = "reload", "reload"
	}
	steps := []Step{{What: process + " without sendwrap", Undo: "service " + name + " " + end}}
	steps = append(steps, files...)
	return append(steps, Step{What: process + " reads that", Do: "service " + name + " " + begin})
}

// xinetd has it start sendwrap.
func (s *Site) xinetd() ([]Step, error) {
	for _, x := range s.XinetdServices() {
		if !x.Off && x.Unread == "" &&
			surroundings.IsPort([]string{x.Value("port", x.Name)}, "25", "smtp") {
			return nil, fmt.Errorf("%s: xinetd starts %s for port 25; write %s in its place%s",
				x.Where(), strings.Join(x.Program(), " "), s.Program, chapterStart)
		}
	}
	const dir = "/etc/xinetd.d/"
	if !s.Has(dir) {
		return nil, fmt.Errorf("there is no %s, where xinetd of Debian has its services%s", dir,
			chapterStart)
	}
	text, err := s.packaged("xinetd/sendwrap")
	if err != nil {
		return nil, err
	}
	var steps []Step
	add := func(name, text string) error {
		if s.Has(name) {
			return fmt.Errorf("%s: exists; remove it, or set disable = no there", name)
		}
		steps = append(steps, Step{What: name + ": xinetd starts sendwrap",
			File: &File{Name: name, Text: text, Mode: 0o644}})
		return nil
	}
	at := s.addresses()
	if at == nil {
		err = add(dir+"sendwrap", text)
	}
	for i, addr := range at {
		family := "IPv6"
		if addr.Is4() {
			family = "IPv4"
		}
		bound, found := replaceLine(text, "\tflags\t\t= IPv6\n", fmt.Sprintf(
			"\tflags\t\t= %s\n\tbind\t\t= %v\n\tid\t\t= smtp-%d\n", family, addr, i+1))
		if !found {
			return nil, errors.New("packaging/xinetd/sendwrap has no flags = IPv6")
		}
		if err = add(fmt.Sprintf("%ssendwrap-%d", dir, i+1), bound); err != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return s.service("xinetd", "xinetd", steps...), nil
}

// systemd has it start sendwrap.
func (s *Site) systemd() ([]Step, error) {
	const dir = "/etc/systemd/system/"
	const socket, template = "sendwrap.socket", "sendwrap@.service"
	steps := []Step{{What: "systemd forgets the units", Undo: "systemctl daemon-reload"}}
	for _, name := range []string{template, socket} {
		text, err := s.packaged(name)
		if err != nil {
			return nil, err
		}
		if at := s.addresses(); name == socket && at != nil {
			listen := ""
			for _, addr := range at {
				listen += "ListenStream=" + host(addr) + ":25\n"
			}
			var found bool
			if text, found = replaceLine(text, "ListenStream=25\n", listen); !found {
				return nil, errors.New("packaging/sendwrap.socket has no ListenStream=25")
			}
		}
		if s.Has(dir + name) {
			return nil, fmt.Errorf("%s: exists; remove it, or type systemctl enable --now %s",
				dir+name, socket)
		}
		steps = append(steps, Step{What: dir + name + ": systemd starts sendwrap",
			File: &File{Name: dir + name, Text: text, Mode: 0o644}})
	}
	return append(steps, Step{What: "systemd listens",
		Do:   "systemctl daemon-reload && systemctl enable --now " + socket,
		Undo: "systemctl disable --now " + socket,
	}), nil
}

// packaged is a file of packaging/, as make install writes it: with the path of this sendwrap.
func (s *Site) packaged(name string) (string, error) {
	text, err := fs.ReadFile(s.Packaging, "packaging/"+name)
	return strings.ReplaceAll(string(text), "/usr/local/sbin/sendwrap", s.Program), err
}

// replaceLine replaces what occurs once.
func replaceLine(text, from, to string) (replaced string, found bool) {
	return strings.Replace(text, from, to, 1), strings.Count(text, from) == 1
}

// host is an address before a colon and a port.
func host(addr netip.Addr) string {
	if addr.Is6() {
		return "[" + addr.String() + "]"
	}
	return addr.String()
}
