package config

import (
	"strings"
	"testing"

	"sendwrap/allowlist"
)

// However a line with a key is wrong, no error and no line of the log tells the key.
func TestKeysStaySecret(t *testing.T) {
	const key = "s3cretk3y"
	zone := key + ".zen.dq.example"
	for _, text := range []string{
		"dnsbl " + zone + " as=", "dnsbl " + zone + " as=?", "dnsbl " + zone + " as=a as=b",
		"dnsbl " + zone + "=127.0.0 as=zen", "dnsbl " + zone + "*x as=zen",
		"dnsbl " + zone + ".. as=zen", "dnsbl " + zone + "/ as=zen", "dnsbl -" + zone + " as=zen",
		"dnsbl " + zone + " other.example as=zen", "dnsbl = " + zone + " as=zen",
		"dnsbl =" + zone + " as=zen", "dnsbl," + zone + " as=zen",
		`dnsbl "` + zone + ` as=zen`, `dnsbl ` + zone + `" as=zen`, `"dnsbl ` + zone + ` as=zen"`,
		`"dnsbl ` + zone + ` as=zen`, `dnsbl"` + zone + `" as=zen`, `dnsbl "` + zone + `"x as=zen`,
		`dnsbl "\` + zone + `" as=zen`, "dnsbl " + zone + "\u00a0as=zen",
		"dnsbl\u00a0" + zone + " as=zen", "dnsbl " + zone + " as=zen \\", "dnsbl " + zone + "\x01",
		"dnsbl=" + zone + " as=zen", "dnsbl:" + zone + " as=zen", "dnsbl: " + zone + " as=zen",
		"DNSBL " + zone + " as=zen", "dnsb " + zone + " as=zen", "dnsbl_sites=" + zone,
		zone + " as=zen", zone + "*2 as=zen", "  " + zone + "*2,", zone + "=127.0.0.2",
		"postscreen_dnsbl_sites=" + zone, "postscreen_dnsbl_sites = " + zone,
		"dnsbl a.example as=zen\ndnsbl " + zone + " as=zen",
		"dnsbl " + zone + " as=zen\ndnsbl a.example as=zen",
		"dnsbl " + zone + " as=zen\ndnsbl " + zone + " as=other",
		"dnsbl " + zone + " as=zen\ndnsbl " + strings.Repeat(zone+" ", maxListSites),
		"dnsbl " + zone + " As=zen", "dnsbl " + zone + " as =zen", "dnsbl " + zone + " name=zen",
		"dnsbl " + zone + " as:zen*",
	} {
		c, err := Load(write(t, text), allowlist.All())
		if err == nil {
			t.Errorf("%q is no mistake", text)
			continue
		}
		for _, line := range append(LogLines(err, LineSkipped), err.Error()) {
			if strings.Contains(strings.ToLower(line), key) {
				t.Errorf("%q: %s", text, line)
			}
		}
		for _, l := range c.Lists { // a misspelled name makes no list that shows its zone
			if strings.Contains(l.Name, key) && strings.Contains(strings.ToLower(text), "zen") &&
				!strings.Contains(text, "as:") {
				t.Errorf("%q: a list is called %s", text, l.Name)
			}
		}
	}
}

// A list is printed on one line, with a name only if it has one of its own.
func TestListsPrinted(t *testing.T) {
	c, _ := load(t, "dnsbl B.example*1 a.example=127.0.0.2*-3,b.example*2\n"+
		"dnsbl a.example as=a.example\ndnsbl c.example as=c \"url=http://c/#\\\"x\"\n")
	var text strings.Builder
	if err := c.Write(&text); err != nil {
		t.Fatal(err)
	}
	const want = "\ndnsbl b.example b.example*2\ndnsbl a.example=127.0.0.2*-3 a.example\n" +
		"dnsbl c.example as=c \"url=http://c/#\\\"x\"\ndnsbl_threshold 0\n"
	if !strings.Contains(text.String(), want) {
		t.Errorf("printed\n%s\nwant%s", text.String(), want)
	}
}

// The places of lists are told, and the lines that hold keys.
func TestListPlaces(t *testing.T) {
	path := write(t, "\ndnsbl a.example\n\ndnsbl b.example as=b\n"+
		"dnsbl a.example*2 c.example as=?\ndnsbl c.example\ndnsbl d.example as=b\n")
	c, _ := Load(path, allowlist.All())
	var got []string
	for i, l := range c.Lists {
		got = append(got, l.Name+strings.TrimPrefix(c.ListPlace(i).String(), path))
	}
	for _, at := range c.Keyed() {
		got = append(got, "key"+strings.TrimPrefix(at.String(), path))
	}
	want := "a.example:2 b:4 c.example:6 key:4 key:5 key:7"
	if s := strings.Join(got, " "); s != want || !strings.HasSuffix(c.Place("dnsbl"), ":2") {
		t.Errorf("%s\nwant %s; the first is at %s", s, want, c.Place("dnsbl"))
	}
}
