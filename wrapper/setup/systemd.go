package setup

import (
	"errors"
	"fmt"
)

// Units in unitDir come before those of a package.
const (
	unitDir  = "/etc/systemd/system/"
	socket   = "sendwrap.socket"
	template = "sendwrap@.service"
)

// systemd has it start sendwrap. What a package has brought need not be written.
func (s *Site) systemd() ([]Step, error) {
	steps := []Step{{What: "systemd forgets the units", Undo: "systemctl daemon-reload"}}
	for _, name := range []string{template, socket} {
		packaged, err := s.packaged(name)
		if err != nil {
			return nil, err
		}
		text := packaged
		if name == socket {
			if text, err = s.listening(packaged); err != nil {
				return nil, err
			}
		}
		file := unitDir + name
		if s.Has(file) {
			return nil, fmt.Errorf("%s: exists; remove it, or type systemctl enable --now %s",
				file, socket)
		}
		if _, found := s.Unit(name); found && text == packaged {
			continue
		}
		steps = append(steps, Step{What: file + ": systemd starts sendwrap",
			File: &File{Name: file, Text: text, Mode: 0o644}})
	}
	return append(steps, Step{What: "systemd listens",
		Do:   "systemctl daemon-reload && systemctl enable --now " + socket,
		Undo: "systemctl disable --now " + socket,
	}), nil
}

// listening is sendwrap.socket for the addresses at which port 25 is open.
func (s *Site) listening(text string) (string, error) {
	at := s.addresses()
	if at == nil {
		return text, nil
	}
	listen := ""
	for _, addr := range at {
		listen += "ListenStream=" + host(addr) + ":25\n"
	}
	text, found := replaceLine(text, "ListenStream=25\n", listen)
	if !found {
		return "", errors.New("packaging/sendwrap.socket has no ListenStream=25")
	}
	return text, nil
}
