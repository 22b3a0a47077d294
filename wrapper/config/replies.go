package config

import (
	"strconv"
	"strings"
)

// The longest that replies can hold, each of them one line of at most 512 bytes (RFC 5321
// §4.5.3.1.5).
const (
	MaxHostname = 128
	MaxContact  = 200
)

// auto is the machine's own name.
const auto = "auto"

func setHostname(c *Config, args []string) error {
	name := strings.TrimSuffix(args[0], ".")
	switch {
	case args[0] == auto:
		c.Hostname = ""
		return nil
	case meansNone(name):
		return wrong("write auto for the machine's own", "%s is no name", quoted(name))
	case len(name) > MaxHostname:
		return wrong("write at most 128", "%d bytes", len(name))
	case !IsHostname(name):
		return wrong("write a name such as mx.example.org", "%s is not a host name", quoted(args[0]))
	case !strings.Contains(name, "."):
		return wrong("write it such as "+name+".example.org", "%s lacks its domain", quoted(name))
	}
	c.Hostname = name
	return nil
}

// IsHostname says whether a word can be a host name (RFC 1123): letters, digits and hyphens between
// dots, and no address.
func IsHostname(word string) bool {
	for label := range strings.SplitSeq(word, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	last := word[strings.LastIndexByte(word, '.')+1:]
	return strings.Trim(last, "0123456789") != ""
}

func notInLabel(r rune) bool {
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
	if len(args) == 1 && text != off && meansNone(text) {
		return wrong("write off", "%s is no contact", quoted(text))
	}
	if text == off {
		text = ""
	} else if err := fitsReply(text, MaxContact); err != nil {
		return err
	}
	c.Contact = text
	return nil
}

func printContact(c *Config) string { return textOrOff(c.Contact) }

// fitsReply says why a text cannot be a part of a reply line, if so.
func fitsReply(text string, most int) error {
	switch {
	case strings.Trim(text, " ") == "":
		return wrong("write off for none", "empty text")
	case len(text) > most:
		return wrong("write at most "+strconv.Itoa(most), "%d bytes", len(text))
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return wrong("write printable ASCII", "%s has other characters", quoted(text))
	}
	return nil
}

// textOrOff is a text as sendwrap.conf has it.
func textOrOff(text string) string {
	if text == "" {
		return off
	}
	return joined(text)
}
