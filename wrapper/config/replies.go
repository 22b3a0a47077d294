package config

import (
	"strconv"
	"strings"

	"sendwrap/wrapper/policy"
)

// auto stands for the machine's own name.
const auto = "auto"

func setHostname(c *Config, args []string) error {
	name := strings.TrimSuffix(args[0], ".")
	switch {
	case args[0] == auto:
		c.Hostname = ""
		return nil
	case meansOff(name):
		return newError("write auto for the machine's own", "%s is not a name", quoted(name))
	case len(name) > policy.MaxHostname:
		return newError("write at most 128", "%d bytes", len(name))
	case !policy.IsHostname(name):
		return newError("write a name such as mx.example.org", "%s is not a host name",
			quoted(args[0]))
	case !strings.Contains(name, "."):
		return newError("write a full name, such as "+name+".example.org", "%s has no domain",
			quoted(name))
	}
	c.Hostname = name
	return nil
}

func isOutsideLabel(r rune) bool {
	return !(r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
}

func printHostname(c *Config) string {
	if c.Hostname == "" {
		return auto
	}
	return c.Hostname
}

func setContact(c *Config, args []string) error {
	text := strings.Join(args, " ")
	if len(args) == 1 && text != off && meansOff(text) {
		return newError("write off", "%s is not a contact", quoted(text))
	}
	if text == off {
		text = ""
	} else if err := checkReplyText(text, policy.MaxContact); err != nil {
		return err
	}
	c.Contact = text
	return nil
}

func printContact(c *Config) string { return textOrOff(c.Contact) }

// checkReplyText returns an error if a text cannot be part of a reply line.
func checkReplyText(text string, most int) error {
	switch {
	case strings.Trim(text, " ") == "":
		return newError("write off for none", "empty text")
	case len(text) > most:
		return newError("write at most "+strconv.Itoa(most), "%d bytes", len(text))
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return newError("write printable ASCII", "%s has other characters", quoted(text))
	}
	return nil
}

// textOrOff is the spelling of a text in sendwrap.conf.
func textOrOff(text string) string {
	if text == "" {
		return off
	}
	return joinWords(text)
}
