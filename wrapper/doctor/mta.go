package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/surroundings"
)

// mtaFault says that the MTA cannot be started, or is none for clients.
func mtaFault(s *Site) []Finding {
	err := exec.CheckProgram(s.Config.MTA[0])
	write := "write mta PROGRAM ARG..., with the path of a program"
	if err == nil {
		err = wrapper.Unfit(s.Config.MTA)
	}
	if err == nil {
		return nil
	}
	what := err.Error()
	if fault, cure, found := strings.Cut(what, "; "); found {
		what, write = fault, cure
	}
	return one(s.at("mta"), what, write)
}

// submitCF makes sendmail -bs a program for the mail of the machine's own users.
const submitCF = "/etc/mail/submit.cf"

// submitFile says what to write for a sendmail that would read submit.cf.
func submitFile(s *Site) []Finding {
	mta := s.Config.MTA
	named := slices.ContainsFunc(mta[1:], func(arg string) bool {
		return strings.HasPrefix(arg, "-A") || strings.HasPrefix(arg, "-C")
	})
	if named || !slices.Contains(mta[1:], "-bs") || !s.Machine.Has(submitCF) ||
		s.Machine.MTA(mta[0]).Kind != surroundings.Sendmail {
		return nil
	}
	return one(s.at("mta"), "without -Am this sendmail reads "+submitCF+
		", which is not for a mail server", fmt.Sprintf("write mta %s -Am %s", mta[0],
		strings.Join(mta[1:], " ")))
}

// greetPause says that the MTA is a sendmail that makes clients wait a second time.
func greetPause(s *Site) []Finding {
	mta := s.Config.MTA
	if s.Machine.MTA(mta[0]).Kind != surroundings.Sendmail {
		return nil
	}
	cf := "/etc/mail/sendmail.cf"
	for i, arg := range mta {
		if file, found := strings.CutPrefix(arg, "-C"); found && file != "" {
			cf = file
		} else if found && i+1 < len(mta) {
			cf = mta[i+1]
		}
	}
	text, _ := s.Machine.Text(cf)
	if !strings.Contains(text, "\nSgreet_pause\n") {
		return nil
	}
	return one(s.at("mta"), "greet_pause of "+cf, "remove FEATURE(`greet_pause') from "+
		"sendmail.mc, and make "+filepath.Base(cf)+" from it")
}

// masterCF says which services Postfix has.
const masterCF = "/etc/postfix/master.cf"

// postfixService is a line of master.cf.
type postfixService struct {
	line    int
	name    string // of the service: smtp, 25, 192.0.2.1:smtp
	chroot  bool
	command string
	options string // the -o in it
}

// postfixServices are those that listen on TCP.
func postfixServices(m surroundings.Machine) (all []postfixService) {
	text, _ := m.Text(masterCF)
	goesOn := false // the line before was such a service
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
			if goesOn {
				all[len(all)-1].options += " " + strings.Join(words, " ")
			}
		case len(words) >= 8 && words[1] == "inet":
			goesOn = true
			all = append(all, postfixService{i + 1, words[0], words[4] == "y", words[7],
				strings.Join(words[8:], " ")})
		default:
			goesOn = false
		}
	}
	return all
}

// postfixPort says that Postfix has port 25, which something else is to have for sendwrap.
func postfixPort(s *Site) (all []Finding) {
	if !s.startsAt25() {
		return nil
	}
	for _, p := range postfixServices(s.Machine) {
		if surroundings.IsPort([]string{p.name}, "25", "smtp") {
			all = append(all, Finding{Where: masterCF + ":" + strconv.Itoa(p.line),
				What:  "Postfix's " + p.command + " is to have port 25, and so is sendwrap",
				Write: "put a # before this line, and restart Postfix"})
		}
	}
	return all
}
