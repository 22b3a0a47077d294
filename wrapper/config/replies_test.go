package config

import (
	"strings"
	"testing"
)

func TestReplySettings(t *testing.T) {
	label := strings.Repeat("x", 32)
	longest := strings.Join([]string{label, label, label, label[3:]}, ".")
	settings(t, []setting{
		{"hostname", "hostname mx-1.example.org", func(c *Config) {
			c.Hostname = "mx-1.example.org"
		}},
		{"hostname with its last dot", "hostname mx.example.org.", func(c *Config) {
			c.Hostname = "mx.example.org"
		}},
		{"the longest hostname", "hostname " + longest, func(c *Config) { c.Hostname = longest }},
		{"hostname auto", "hostname auto", func(c *Config) {}},
		{"contact", "contact https://example.org/why%20us?a=b", func(c *Config) {
			c.Contact = "https://example.org/why%20us?a=b"
		}},
		{"contact of words", "contact +49 30  123456", func(c *Config) {
			c.Contact = "+49 30 123456"
		}},
		{"contact in quotes", `contact "# of Ann: \"5\""`, func(c *Config) {
			c.Contact = `# of Ann: "5"`
		}},
		{"contact off", "contact off", func(c *Config) {}},
		{"the longest contact", "contact " + strings.Repeat("x", 200), func(c *Config) {
			c.Contact = strings.Repeat("x", 200)
		}},
	})
	mistakes(t, []mistake{
		{"hostname", "hostname: no value; write hostname NAME"},
		{"hostname mx", `hostname: "mx" has no domain; write a full name, such as mx.example.org`},
		{"hostname none", `hostname: "none" is not a name; write auto for the machine's own`},
		{"hostname mx_1.example.org",
			`hostname: "mx_1.example.org" is not a host name; write a name such as mx.example.org`},
		{"hostname mx..org",
			`hostname: "mx..org" is not a host name; write a name such as mx.example.org`},
		{"hostname -mx.org",
			`hostname: "-mx.org" is not a host name; write a name such as mx.example.org`},
		{"hostname .", `hostname: "." is not a host name; write a name such as mx.example.org`},
		{"hostname mx\x7f.example.org",
			`hostname: "mx\x7f.example.org" is not a host name; write a name such as ` +
				`mx.example.org`},
		{"hostname x" + longest, "hostname: 129 bytes; write at most 128"},
		{"hostname mx.example.org mail.example.org",
			`hostname: "mail.example.org" is one word too many; write hostname NAME`},
		{"contact", "contact: no value; write contact TEXT"},
		{"contact none", `contact: "none" is not a contact; write off`},
		{`contact ""`, "contact: empty text; write off for none"},
		{`contact " "`, "contact: empty text; write off for none"},
		{"contact Jürgen", `contact: "Jürgen" has other characters; write printable ASCII`},
		{"contact \"a\tb\"", `contact: "a\tb" has other characters; write printable ASCII`},
		{"contact " + strings.Repeat("x", 201), "contact: 201 bytes; write at most 200"},
	})
}
