package setup

import (
	"fmt"
	"slices"
	"strings"

	"sendwrap/wrapper/surroundings"
)

// Of Debian's Exim.
const (
	eximProgram = "/usr/sbin/exim4"
	eximScript  = "/etc/init.d/exim4"
	eximDefault = "/etc/default/exim4"
	eximConf    = "/etc/exim4/exim4.conf"
	eximDebconf = "/etc/exim4/update-exim4.conf.conf"
	eximMacros  = "/etc/exim4/exim4.conf.localmacros"
	eximMainDir = "/etc/exim4/conf.d/main/"
	eximRestart = "service exim4 restart"
	eximPorts   = surroundings.EximPorts
	pipeconnect = surroundings.Pipeconnect

	// Clients remember the offer for a week. Exim would refuse for good what they say early, where
	// sendwrap lets them pass.
	noPipeconnect = pipeconnect + " = :\n" +
		"# needed for the first week only\n" +
		surroundings.NoSync
)

// askExim is what Exim says of its main options.
func askExim() (map[string]string, error) {
	options, err := surroundings.AskExim([]string{eximProgram}, eximPorts, pipeconnect)
	if err != nil {
		return nil, fmt.Errorf("%s -bP: %w; repair its configuration first", eximProgram, err)
	}
	return options, nil
}

// exim has its daemon give up port 25. It stays for its other ports, if it has any, and for the
// queue. And since clients learn from Exim that they may speak before the greeting, it must no
// longer say so.
func (s *Site) exim() ([]Step, error) {
	if !s.Has(eximDebconf) || s.Has(eximConf) {
		return nil, fmt.Errorf("this Exim does not go by %s of Debian; take port 25 from "+
			"its daemon yourself%s", eximDebconf, chapterMTA)
	}
	old, _ := s.Text(eximDefault)
	text, err := s.eximOptions(old)
	if err != nil {
		return nil, err
	}
	steps := []Step{
		{What: "Exim has port 25 again", Undo: eximRestart},
		{What: eximDefault + ": the daemon gives up port 25", File: &File{
			Name: eximDefault, Old: old, Text: text, Mode: 0o644}},
	}
	if surroundings.Offers(s.Exim[pipeconnect]) {
		name := eximMacros
		conf, _ := s.Text(eximDebconf)
		if shellValue(conf, "dc_use_split_config") == "true" {
			name = eximMainDir + "00_sendwrap"
		}
		old, _ := s.Text(name)
		steps = append(steps, Step{
			What: name + ": clients no longer learn to speak before the greeting",
			File: &File{Name: name, Old: old, Text: withLine(old, noPipeconnect), Mode: 0o644,
				Loose: true}})
	}
	return append(steps, Step{What: "Exim reads that", Do: eximRestart}), nil
}

// eximOptions adds to the text of /etc/default/exim4 what keeps the daemon off port 25. A later
// line holds, for the shell and for systemd. A daemon with no other port gets 587 for this machine
// alone: without any it would not stay under systemd.
func (s *Site) eximOptions(text string) (string, error) {
	runner := shellValue(text, "QUEUERUNNER")
	variables := [][2]string{{"SMTPLISTENEROPTIONS", ""}} // and their defaults
	if script, _ := s.Text(eximScript); strings.Contains(script, "EXIMDAEMONOPTS") {
		variables = [][2]string{{"EXIMDAEMONOPTS", "-bd -q30m "}, {"EXIMSERVICE", "-bdf -q30m "}}
	} else if !slices.Contains([]string{"", "combined", "separate"}, runner) {
		return "", fmt.Errorf("%s: QUEUERUNNER is %q; setup knows combined and separate only%s",
			eximDefault, runner, chapterMTA)
	}
	var ports []string
	for port := range strings.SplitSeq(s.Exim[eximPorts], ":") {
		if port = strings.TrimSpace(port); port != "" && port != "smtp" && port != "25" {
			ports = append(ports, port)
		}
	}
	if len(ports) == 0 {
		ports = []string{"127.0.0.1.587"}
	}
	for _, v := range variables {
		name, options := v[0], v[1]
		if set := shellValue(text, name); strings.Contains(set, "-oX") {
			return "", fmt.Errorf("%s: %s is %q; take -oX out, write its ports as "+
				"daemon_smtp_ports into Exim's main configuration, restart Exim, and type this "+
				"again", eximDefault, name, set)
		} else if strings.ContainsAny(set, "'\"#`$\\") {
			return "", fmt.Errorf("%s: %s is %q; setup knows plain options in quotes only%s",
				eximDefault, name, set, chapterMTA)
		} else if set != "" {
			options = set + " "
		}
		// Without -oP it would write no pid, and could not be stopped.
		text = withLine(text, fmt.Sprintf("%s='%s-oX %s -oP /run/exim4/exim.pid'", name, options,
			strings.Join(ports, ":")))
	}
	return text, nil
}
