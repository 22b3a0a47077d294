package setup

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sendwrap/wrapper/surroundings"
)

// xinetdDir is where xinetd of Debian has its services.
const xinetdDir = "/etc/xinetd.d/"

// xinetd has it start sendwrap: a file for each address.
func (s *Site) xinetd() ([]Step, error) {
	for _, x := range s.XinetdServices() {
		if !x.Off && x.Unread == "" &&
			surroundings.IsPort([]string{x.Value("port", x.Name)}, "25", "smtp") {
			return nil, fmt.Errorf("%s: xinetd starts %s for port 25; write %s in its place%s",
				x.Where(), strings.Join(x.Program(), " "), s.Program, chapterStart)
		}
	}
	text, err := s.packaged("xinetd/sendwrap")
	if err != nil {
		return nil, err
	}
	texts := map[string]string{"sendwrap": text}
	if at := s.addresses(); at != nil {
		clear(texts)
		for i, addr := range at {
			family := "IPv6"
			if addr.Is4() {
				family = "IPv4"
			}
			bind := fmt.Sprintf("\tflags\t\t= %s\n\tbind\t\t= %v\n\tid\t\t= smtp-%d\n",
				family, addr, i+1)
			bound, found := replaceLine(text, "\tflags\t\t= IPv6\n", bind)
			if !found {
				return nil, errors.New("packaging/xinetd/sendwrap has no flags = IPv6")
			}
			texts[fmt.Sprintf("sendwrap-%d", i+1)] = bound
		}
	}
	var steps []Step
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		file := xinetdDir + name
		old, found := s.Text(file)
		if found { // a package has brought it, switched off
			var isOff bool
			texts[name], isOff = replaceLine(old, "\tdisable\t\t= yes\n", "\tdisable\t\t= no\n")
			if !isOff {
				return nil, fmt.Errorf("%s: exists; remove it, or write disable = no there", file)
			}
		}
		steps = append(steps, Step{What: file + ": xinetd starts sendwrap",
			File: &File{Name: file, Old: old, Text: texts[name], Mode: 0o644}})
	}
	return s.service("xinetd", "xinetd", steps...), nil
}
