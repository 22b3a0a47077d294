package milter

import (
	"testing"
)

func TestMacros(t *testing.T) {
	m := Macros(Packet(Rcpt, "i", "QUEUE1", "{rcpt_mailer}", "error", "{rcpt_host}", "")[1:])
	for _, c := range []struct {
		macros     Macros
		name, want string
	}{
		{m, "i", "QUEUE1"},
		{m, "{rcpt_mailer}", "error"},
		{m, "{rcpt_host}", ""},
		{m, "{rcpt_addr}", ""},
		{m, "error", ""}, // a value, and what stands behind it
		{m, "QUEUE1", ""},
		{m.For(Rcpt), "i", "QUEUE1"},
		{m.For(Mail), "i", ""},
		{"", "i", ""},
		{"R", "i", ""},
		{"R\x00\x00\x00", "i", ""},
		{"Ri", "i", ""},
		{"Ri\x00", "i", ""},
		{"Ri\x00no NUL behind it", "i", "no NUL behind it"},
		{"Rx\x00i\x00i\x00y\x00", "i", "y"},
	} {
		if got := c.macros.Get(c.name); got != c.want {
			t.Errorf("%q of %q is %q; want %q", c.name, c.macros, got, c.want)
		}
	}
}

func TestClient(t *testing.T) {
	for _, want := range []Client{
		{IPv4, 40000, "192.0.2.9"}, {IPv6, 1, "IPv6:2001:db8:0:0:0:0:0:9"}, {IPv6, 65535, ""},
	} {
		packet := want.Packet("client.example")
		got, err := ReadClient([]byte(packet[1:]))
		if packet[0] != Connect || got != want || err != nil {
			t.Errorf("%q is %+v, %v; want %+v", packet, got, err, want)
		}
	}
	for data, want := range map[string]Client{
		"x\x00U":                     {Family: 'U'},
		"x\x00L\x00\x00/run/x\x00":   {Family: 'L'},
		"x\x004\x9c\x40192.0.2.9":    {IPv4, 40000, "192.0.2.9"},
		"\x004\x9c\x40192.0.2.9\x00": {IPv4, 40000, "192.0.2.9"},
	} {
		if got, err := ReadClient([]byte(data)); got != want || err != nil {
			t.Errorf("%q is %+v, %v; want %+v", data, got, err, want)
		}
	}
	for _, data := range []string{"", "x", "x\x00", "x\x004", "x\x006\x00"} {
		if got, err := ReadClient([]byte(data)); err == nil {
			t.Errorf("%q is %+v", data, got)
		}
	}
}

func TestReply(t *testing.T) {
	const line = "421 4.7.0 100% of it"
	if a := Reply(line); a != "y421 4.7.0 100%% of it\x00" {
		t.Errorf("%q", a)
	} else if got, ok := a.Reply(); got != line || !ok {
		t.Errorf("%q, %v", got, ok)
	}
	for _, a := range []Answer{None, Continue, Accept, Progress} {
		if got, ok := a.Reply(); ok {
			t.Errorf("%q gives the reply %q", a, got)
		}
	}
}

func TestOffer(t *testing.T) {
	want := Offer{Version, SetMacros, RcptRej | NoBody}
	packet := want.Packet()
	for _, more := range []string{"", "what a later version says"} {
		if got, err := ReadOffer([]byte(packet[1:] + more)); got != want || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if got, err := ReadOffer([]byte(packet[1 : len(packet)-1])); err == nil {
		t.Errorf("%+v", got)
	}
}
