package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// said writes a line of a client, a time after the beginning.
func said(at time.Duration, word, client, rest string) string {
	return line(at, word+" client=["+client+"]:5"+fmt.Sprint(at.Milliseconds()%10000)+
		" server=[198.51.100.5]:25 "+rest)
}

const second = time.Second

// handLog is short enough for its changes to be found by hand.
var handLog = strings.Join([]string{
	said(10*second, "PASS", "192.0.2.1", "wait=6s/6s conns=1/50"),
	said(20*second, "KNOWN", "192.0.2.1", "conns=1/50"),
	said(30*second, "KNOWN", "192.0.2.1", "conns=1/50"), // the third in a minute
	said(40*second, "KNOWN", "192.0.2.1", "conns=1/50"),
	said(200*second, "KNOWN", "192.0.2.1", "conns=1/50"),
	said(210*second, "KNOWN", "192.0.2.2", "conns=1/50"), // known from before the log
	said(220*second, "PREGREET", "192.0.2.3", `wait=2.50s/6s conns=1/50 strikes=1/3 reply=554 `+
		`kind=ehlo bytes=6 data="EHLO\r\n"`),
	said(230*second, "PREGREET", "192.0.2.4", `wait=4.50s/6s conns=1/50 strikes=1/3 reply=554 `+
		`kind=ehlo bytes=6 data="EHLO\r\n"`), // it would have spoken to the MTA
	said(240*second, "HANGUP", "192.0.2.5", "wait=3.50s/6s conns=1/50"),
	said(250*second, "BLOCKED", "192.0.2.6", "network=192.0.2.6/32 left=40m "+
		"reason=pregreet:ehlo reply=421"), // from before the log
	said(260*second, "DENIED", "192.0.2.7", "rule=/etc/sendwrap.conf:9 network=192.0.2.7/32 "+
		"reply=554"),
	said(270*second, "DNSBL", "192.0.2.8", "wait=1.20s/6s conns=1/50 score=3/3 "+
		"lists=zen:127.0.0.2*3 reply=554"), // 2 by the weight of now
	said(280*second, "DNSBL", "192.0.2.9", "wait=3.20s/6s conns=1/50 score=3/3 "+
		"lists=zen:127.0.0.2*3 reply=554"), // it had waited for as long as it would have to now
	said(290*second, "RATE", "192.0.2.10", "rate=20/20 per=1m reply=421"),
	line(300*second, "BLOCK network=192.0.2.0/28 for=1h reason=administrator by=uid:0"),
	said(310*second, "PASS", "192.0.2.11", "wait=6s/6s conns=1/50"), // within that block
	line(320*second, "UNBLOCK network=192.0.2.0/28 freed=1"),
	said(330*second, "PASS", "192.0.2.12", "wait=6s/6s conns=1/50"),
	said(340*second, "FAILED", "192.0.2.12", "reply=421 error=\"no MTA\""),
	line(350*second, "BADRCPTS client=[192.0.2.13]:5 network=192.0.2.13/32 bad=3/3 left=1h "+
		"reason=bad_rcpts reply=421"),
	said(360*second, "BLOCKED", "192.0.2.13", "network=192.0.2.13/32 left=59m "+
		"reason=bad_rcpts reply=421"),
}, "")

const handConf = `greet_delay 3s
client_rate 2/1m
dnsbl zen.example*2 as=zen
dnsbl other.example
dnsbl_threshold 3
`

func TestByHand(t *testing.T) {
	r := again(t, handLog, handConf)
	var b bytes.Buffer
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "hand.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("not as computed by hand:\n%s", b.String())
	}
	text, err := json.Marshal(r)
	var back Result
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || len(back.Clients) != len(r.Clients) || back.Version != 1 {
		t.Errorf("%v: %s", err, text)
	}
}

// Bad input: what cannot be read is counted, and the rest is replayed as if it were not there.
func TestBadInput(t *testing.T) {
	want := again(t, handLog, handConf)
	lines := strings.SplitAfter(handLog, "\n")
	bad := []string{
		"2026-12-28T00:00:11Z mx sendwrap[1]: PASS client=[192.0.2.1]:5 server=[19\n" +
			"\x00\x01\xff\n", strings.Repeat("x", 200_000) + "\n",
		line(0, "PASS client=[192.0.2.1]:99999 server=[198.51.100.5]:25 wait=6s/6s"),
		line(0, "PASS client=nobody server=[198.51.100.5]:25 wait=6s/6s"),
		"2026-12-28T00:00:11Z mx sm-mta[1]: helo=sendwrap[1]: PASS client=[192.0.2.1]:5 " +
			"server=[198.51.100.5]:25 wait=6s/6s\n",
		line(12*second, "PREGREET the client"),
		line(12*second, "BLOCK network=nonsense for=1h"), line(12*second, "BLOCK for=x"),
		line(12*second, "STRIKE client=[]"), line(12*second, "UNBLOCK"),
		line(12*second, "ENDED client=[192.0.2.250]:1 server=[::]:25 after=1s status=1"),
		line(12*second, "the ledger is full"),
	}
	r := again(t, strings.Join(slices.Insert(lines, 1, bad...), ""), handConf)
	if r.Same != want.Same || r.Connections != want.Connections ||
		len(r.Clients) != len(want.Clients) {
		t.Errorf("%+v; want %+v", r, want)
	}
	if u := r.Unreadable; u.TooLong != 1 || u.Garbled < 3 || u.Lines < 1 {
		t.Errorf("%+v", u)
	}
	if r := again(t, "", handConf); r.Connections != 0 || r.Findings != nil {
		t.Errorf("an empty log: %+v", r)
	}
}

// Numbers that no sendwrap writes, and keys of a later one.
func TestStrange(t *testing.T) {
	for _, rest := range []string{
		"wait=999999h/1s conns=1/50", "wait=0s/0s turn=99999h conns=1/50", "conns=999999999/1",
		"serving=99999999999999999999/1 conns=1/1", "serving=100000000/100000000 waiting=1/1",
		"score=99999999999/1 lists=zen:127.0.0.2*999999999999,,zen:,:,zen:x*y", "kind=new",
		"load=1e999/1", "left=99999h network=::/0 reason=x", "future=1 other=\"x y\"",
	} {
		for _, word := range []string{"PASS", "BUSY", "CONNS", "BLOCKED", "DNSBL", "PREGREET"} {
			r := again(t, said(0, word, "192.0.2.1", rest)+
				said(second, "KNOWN", "192.0.2.2", "conns=1/50"), handConf)
			if r.Connections != 2 {
				t.Errorf("%s %s: %d connections", word, rest, r.Connections)
			}
		}
	}
	r := again(t, said(0, "PASS", "192.0.2.1", "wait=6s/6s lists=gone:127.0.0.2 future=1"),
		handConf)
	if r.Untold.Newer != 1 || r.Connections != 1 || !slices.Equal(r.Untold.Missing,
		[]string{"gone"}) {
		t.Errorf("%+v", r)
	}
}

// A clock that is set back makes no arrivals come at once. Lines in a slightly wrong order are in
// no way special.
func TestClockGoesBack(t *testing.T) {
	log := ""
	for i := range 20 {
		at := time.Duration(i) * 80 * second
		if i >= 10 {
			at -= time.Hour
		}
		log += said(at, "KNOWN", "192.0.2.1", "conns=1/50")
	}
	r := again(t, log, "client_rate 2/1m\n")
	if r.Same != 20 || r.Untold.Back != 1 {
		t.Errorf("%d of %d have their verdict; %+v", r.Same, r.Connections, r.Untold)
	}
	log = ""
	for i := range 20 {
		at := time.Duration(i^1) * 40 * second
		log += said(at, "KNOWN", "192.0.2.1", "conns=1/50")
	}
	if r = again(t, log, "client_rate 2/1m\n"); r.Same != 20 || r.Untold.Back != 0 {
		t.Errorf("%d of %d have their verdict; %+v", r.Same, r.Connections, r.Untold)
	}
}

// However many clients change, those that were served are among those that are kept.
func TestBounded(t *testing.T) {
	var log strings.Builder
	const clients = 3 * maxChanged
	for i := range clients {
		word, rest := "RATE", "rate=9/9 per=1m reply=421"
		if i >= clients-10 {
			word, rest = "PASS", "wait=6s/6s conns=1/50"
		}
		client := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		log.WriteString(said(time.Duration(i)*10*time.Millisecond, word, client, rest))
	}
	r := again(t, log.String(), "deny 10.0.0.0/8\n")
	if len(r.Clients) != maxClients || r.More != maxChanged+10-maxClients ||
		r.Untold.Forgotten != clients-10-maxChanged {
		t.Errorf("%d clients and %d more, %d forgotten", len(r.Clients), r.More,
			r.Untold.Forgotten)
	}
	for i, c := range r.Clients[:20] {
		if c.Lost != (i < 10) {
			t.Errorf("client %d: %+v", i, c)
		}
	}
	const finding = "deny would have refused 10 clients that were served, none of which is known"
	if len(r.Findings) != 1 || r.Findings[0] != finding {
		t.Errorf("%q", r.Findings)
	}
}

// A client counts as known if it was, or if it would be now, and as trusted if it would be.
func TestWhichAreKnown(t *testing.T) {
	visits := func(word, rest string, pause time.Duration) (log string) {
		for n := range 12 {
			log += said(time.Duration(n)*pause, word, "192.0.2.1", rest)
		}
		for n := range 4 {
			log += said(12*pause+time.Duration(n)*second, word, "192.0.2.1", rest)
		}
		return log
	}
	const rate, wait = "client_rate 2/1m\n", "wait=6s/6s conns=1/50"
	for _, tt := range []struct {
		log, conf      string
		known, trusted bool
	}{
		{visits("KNOWN", "conns=1/50", 30*second), rate + "remember 0\n", true, false},
		{visits("PASS", wait, 30*second), rate, true, false},
		{visits("PASS", wait, 30*second), rate + "remember 0\n", false, false},
		{visits("PASS", wait, 2*time.Hour), rate, true, true},
	} {
		r := again(t, tt.log, tt.conf)
		last := r.Findings[len(r.Findings)-1]
		if !r.Clients[0].Lost || r.Clients[0].Known != tt.known ||
			r.Clients[0].Trusted != tt.trusted ||
			strings.Contains(last, "1 of which is known") != tt.known {
			t.Errorf("%q, %+v; want %v, %v", r.Findings, r.Clients, tt.known, tt.trusted)
		}
	}
}

// A room's log is replayed with the limit of a room.
func TestRoomsLimit(t *testing.T) {
	log := ""
	for n := range 3 {
		log += said(time.Duration(10+n)*second, "PASS", fmt.Sprint("192.0.2.", n),
			"wait=6s/6s conns=1/50")
	}
	for room, refused := range map[bool]int{false: 2, true: 0} {
		o := Options{Config: configure(t, "max_waiting 1 room=10\n"), Room: room,
			Session: time.Minute}
		o.Logs, o.Stdin, o.Now, o.Zone = []string{"-"}, strings.NewReader(log), begins, time.UTC
		r, err := Run(o)
		if err != nil || r.Connections != 3 || r.Connections-r.Same != refused {
			t.Errorf("room %v: %v, %+v; want %d refused", room, err, r, refused)
		}
	}
}

// A client that got no strike for speaking early had waited before the log began: it gets none now.
func TestPatience(t *testing.T) {
	log := said(10*second, "PREGREET", "192.0.2.1", "wait=0.50s/6s conns=1/50 reply=421 "+
		`kind=ehlo bytes=6 data="EHLO\r\n"`) +
		said(20*second, "HANGUP", "192.0.2.1", "wait=1s/6s conns=1/50")
	if r := again(t, log, "block strikes=1\n"); r.Same != 2 || r.Untold.Before != 1 {
		t.Errorf("%d have their verdict: %+v", r.Same, r.Changes)
	}
}
