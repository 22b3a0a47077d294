package setup

import (
	"fmt"
	"path/filepath"
	"strings"

	"sendwrap/wrapper/surroundings"
)

// Of Debian's sendmail.
const (
	sendmailMC     = "/etc/mail/sendmail.mc"
	sendmailCF     = "/etc/mail/sendmail.cf"
	sendmailConf   = "/etc/mail/sendmail.conf"
	sendmailConfig = "/usr/sbin/sendmailconfig"
)

// makeCF is the sendmail.cf that m4 makes from sendmail.mc; "" if there is no sendmail.mc.
func makeCF() (string, error) {
	if !surroundings.Here().Has(sendmailMC) {
		return "", nil
	}
	made, err := ask(filepath.Dir(sendmailMC), "", "/usr/bin/m4", sendmailMC)
	if err != nil {
		return "", fmt.Errorf("m4 %s: %w; repair that first", sendmailMC, err)
	}
	return string(made), nil
}

// sendmail has its daemon give up port 25. The daemon stays for 587 and the queue.
func (s *Site) sendmail() ([]Step, error) {
	if !s.Has(sendmailConfig) || !s.Has(sendmailMC) {
		return nil, fmt.Errorf("this sendmail is not Debian's, which has sendmailconfig%s",
			chapterDebian)
	}
	conf, _ := s.Text(sendmailConf)
	if value := shellValue(conf, "HANDS_OFF"); strings.HasPrefix(strings.ToLower(value), "y") {
		return nil, fmt.Errorf("%s: HANDS_OFF: sendmail.cf is all yours%s", sendmailConf,
			chapterDebian)
	}
	if value := shellValue(conf, "DAEMON_MODE"); !strings.EqualFold(value, "daemon") {
		return nil, fmt.Errorf("%s: DAEMON_MODE=%q; setup knows \"Daemon\" only%s", sendmailConf,
			value, chapterDebian)
	}
	cf, _ := s.Text(sendmailCF)
	if line, differs := firstDifference(cf, s.Made); differs {
		return nil, fmt.Errorf("%s: has %q, and %s does not make that, so sendmailconfig would "+
			"remove it; change sendmail.mc, or run sendmailconfig", sendmailCF, line, sendmailMC)
	}
	old, _ := s.Text(sendmailMC)
	text, err := withoutSMTP(old)
	if err != nil {
		return nil, err
	}
	// A daemon that is restarted need not be reloaded before.
	const configure = "yes '' | sendmailconfig --no-reload && service sendmail restart"
	return []Step{
		{What: "sendmail without the line", Undo: configure},
		{What: sendmailMC + ": the daemon gives up port 25",
			File: &File{Name: sendmailMC, Old: old, Text: text}},
		{What: "sendmail reads that", Do: configure},
	}, nil
}

// withoutSMTP is a sendmail.mc whose daemon does not listen on port 25, and does not make clients
// wait a second time.
func withoutSMTP(text string) (string, error) {
	const off = "dnl "
	var lines []string
	given, kept := 0, 0
	for line := range strings.Lines(text) {
		start := strings.TrimLeft(line, " \t")
		where := fmt.Sprintf("%s:%d", sendmailMC, len(lines)+1)
		isDaemon := strings.HasPrefix(start, "DAEMON_OPTIONS(")
		isPause := strings.HasPrefix(start, "FEATURE(`greet_pause'")
		if (isDaemon || isPause) && !strings.Contains(start, "')") {
			return "", fmt.Errorf("%s: this line goes on in the next; write it in one", where)
		}
		switch {
		case isPause:
			line = off + line
		case isDaemon && isSMTP(start):
			line = off + line
			given++
		case isDaemon:
			kept++
		}
		lines = append(lines, line)
	}
	switch {
	case given == 0:
		return "", fmt.Errorf("%s: no line DAEMON_OPTIONS is for port 25, though sendmail has it%s",
			sendmailMC, chapterDebian)
	case kept == 0:
		return "", fmt.Errorf("%s: no line DAEMON_OPTIONS is for port 587, and without any "+
			"sendmail would open port 25; write FEATURE(`no_default_msa')dnl and "+
			"DAEMON_OPTIONS(`Name=MSA, Port=587, M=E')dnl", sendmailMC)
	}
	return strings.Join(lines, ""), nil
}

// isSMTP reports whether a line DAEMON_OPTIONS is for port 25, as it is if it names none. sendmail
// goes by the first letter of a key.
func isSMTP(line string) bool {
	_, options, _ := strings.Cut(line, "`")
	options, _, _ = strings.Cut(options, "'")
	port := "smtp"
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		if key = strings.TrimSpace(key); key != "" && strings.ContainsAny(key[:1], "pP") {
			port = strings.TrimSpace(value)
		}
	}
	return port == "smtp" || port == "25"
}

// firstDifference is the first line that one of two configurations has in another way. Comments say
// when a file was made, and by whom.
func firstDifference(a, b string) (line string, differs bool) {
	first, second := directives(a), directives(b)
	for i := range max(len(first), len(second)) {
		switch {
		case i >= len(first):
			return second[i], true
		case i >= len(second) || first[i] != second[i]:
			return first[i], true
		}
	}
	return "", false
}

func directives(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// shellValue is the last value that a file of shell variables gives one of them.
func shellValue(text, name string) (value string) {
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(strings.TrimSpace(line), name+"="); found {
			value = strings.Trim(strings.TrimRight(rest, "; \t"), `"'`)
		}
	}
	return value
}
