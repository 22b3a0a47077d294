package maillog

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	client := netip.MustParseAddrPort("192.0.2.9:51544")
	server := netip.MustParseAddrPort("[2001:db8::25]:25")
	tests := []struct {
		line *Line
		want string
	}{
		{NewLine("PASS"), `PASS`},
		{NewLine("PREGREET").Addr("client", client).Addr("server", server).
			DurOf("wait", 23*time.Millisecond, 6*time.Second).
			IntOf("conns", 1, 50).IntOf("strikes", 2, 3).
			Int("reply", 554).Str("kind", "ehlo").Int("bytes", 10).
			Data("data", []byte("EHLO bot\r\n")),
			`PREGREET client=[192.0.2.9]:51544 server=[2001:db8::25]:25 wait=0.02s/6s ` +
				`conns=1/50 strikes=2/3 reply=554 kind=ehlo bytes=10 data="EHLO bot\r\n"`},
		{NewLine("BUSY").FloatOf("load", 13.2, 12).FloatOf("load", 0.005, 0.5),
			`BUSY load=13.20/12 load=0.01/0.5`},
		{NewLine("X").IntOf("conns", 7, 0).Int("n", -1), `X conns=7/- n=-1`},
		{NewLine("X").Dur("left", 59*time.Minute+12*time.Second), `X left=59m12s`},
		{NewLine("X").Addr("client", netip.AddrPort{}), `X client=[]:0`},
		{NewLine("X").Str("rule", "/etc/my conf:3").Str("empty", "").Str("odd", "a\"b\\c\nd\xff=e"),
			`X rule=/etc/my\x20conf:3 empty=- odd=a\x22b\x5cc\x0ad\xff=e`},
		{NewLine("FAILED").Quote("error", "exec /usr/sbin/sendmail: \"no\" such\tfile\n\x00é"),
			`FAILED error="exec /usr/sbin/sendmail: \"no\" such\tfile\n\x00\xc3\xa9"`},
		{NewLine("X").Data("data", nil), `X data=""`},
		{NewLine("X").Data("data", []byte(strings.Repeat("a", MaxData)+"b")),
			`X data="` + strings.Repeat("a", MaxData) + `"`},
		{NewLine("X").Data("data", []byte(strings.Repeat("\x16", MaxData+1))),
			`X data="` + strings.Repeat(`\x16`, MaxData) + `"`},
	}
	for _, tt := range tests {
		if got := tt.line.String(); got != tt.want {
			t.Errorf("\n got %s\nwant %s", got, tt.want)
		}
	}
}

func TestDuration(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"},
		{-time.Hour, "0s"},
		{1, "0s"},
		{10*time.Millisecond - 1, "0s"},
		{10 * time.Millisecond, "0.01s"},
		{20 * time.Millisecond, "0.02s"},
		{999999999, "0.99s"},
		{time.Second, "1s"},
		{5050 * time.Millisecond, "5.05s"},
		{6 * time.Second, "6s"},
		{6*time.Second + 1, "6.00s"}, // measured, not set
		{9999 * time.Millisecond, "9.99s"},
		{10 * time.Second, "10s"},
		{10990 * time.Millisecond, "10s"},
		{time.Minute, "1m"},
		{59*time.Minute + 12*time.Second, "59m12s"},
		{90 * time.Minute, "1h30m"},
		{24 * time.Hour, "24h"},
		{time.Hour + 5*time.Second + 1, "1h5s"},
		{1<<63 - 1, "2562047h47m16s"},
	}
	for _, tt := range tests {
		if got := string(appendDuration(nil, tt.d)); got != tt.want {
			t.Errorf("%d ns: %s; want %s", tt.d, got, tt.want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("EHLO bot\r\n"), "/etc/sendwrap.conf:3", "no such file")
	f.Add([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), "", "\\x\\\\\"")
	f.Add([]byte("a\" FAILED client=[192.0.2.1]:1 data=\"\n<16>sshd[1]: Accepted"), " ",
		"\x7f\xff\u2028")
	f.Fuzz(func(t *testing.T, data []byte, bare, ours string) {
		text := NewLine("WORD").Str("bare", bare).Quote("ours", ours).Data("data", data).String()
		for i := range len(text) {
			if text[i] < ' ' || text[i] > '~' {
				t.Fatalf("byte %d of %q is not printable ASCII", i, text)
			}
		}

		// What a program that reads the log sees: three keys, whatever was in the values.
		rest, ok := strings.CutPrefix(text, "WORD bare=")
		if !ok {
			t.Fatalf("%q", text)
		}
		value, rest, _ := strings.Cut(rest, " ")
		want := bare
		if want == "" {
			want = "-"
		}
		if got, err := strconv.Unquote(`"` + value + `"`); err != nil || got != want {
			t.Errorf("bare=%s is %q, %v; want %q", value, got, err, want)
		}
		rest, _ = strings.CutPrefix(rest, "ours=")
		value, err := strconv.QuotedPrefix(rest)
		if err != nil {
			t.Fatalf("%q: %v", rest, err)
		}
		if got, err := strconv.Unquote(value); err != nil || got != ours {
			t.Errorf("ours=%s is %q, %v; want %q", value, got, err, ours)
		}
		value, ok = strings.CutPrefix(rest[len(value):], " data=")
		if got, err := strconv.Unquote(value); !ok || err != nil ||
			got != string(data[:min(len(data), MaxData)]) {
			t.Errorf("data=%s is %q, %v; want the first 100 bytes of %q", value, got, err, data)
		}

		// And the socket sees what the line is, if it fits.
		if got := string(appendText(nil, text, len(text))); got != text {
			t.Errorf("appendText makes %q of %q", got, text)
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add(`error="a\x00\\\"" \x0`, 12)
	f.Add("two\nlines\r\x00", 5)
	f.Add(strings.Repeat(`\\`, 20), 7)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = max(0, min(limit, 10*len(text)))
		whole := string(appendText(nil, text, 4*len(text)))
		got := string(appendText(nil, text, limit))
		if len(got) > limit {
			t.Errorf("%d bytes; want %d at most", len(got), limit)
		}
		if !strings.HasPrefix(whole, got) {
			t.Errorf("%q is not how %q begins", got, whole)
		}
		if len(got) < min(len(whole), limit-3) {
			t.Errorf("%q wastes room: %d of %d bytes", got, len(got), limit)
		}
		for i := range len(got) {
			if got[i] < ' ' || got[i] > '~' {
				t.Errorf("byte %d of %q is not printable ASCII", i, got)
			}
		}
	})
}

// The cut at every place of a text of escapes.
func TestCut(t *testing.T) {
	text := strings.Repeat(`\x16\r\\\"a\xff`+"\x01", 3)
	ends := map[string]bool{"": true}
	var whole string
	for _, unit := range strings.Split(strings.Repeat(`\x16 \r \\ \" a \xff \x01 `, 3), " ") {
		whole += unit
		ends[whole] = true
	}
	for limit := range len(whole) + 5 {
		if got := string(appendText(nil, text, limit)); !ends[got] || len(got) > limit ||
			len(got) < min(limit-3, len(whole)) {
			t.Errorf("limit %d: %q", limit, got)
		}
	}
}
