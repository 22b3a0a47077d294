package admin

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

const (
	dnsClient   = "127.9.8.7"
	dnsReversed = "7.8.9.127."
	key         = "s3cretk3y" // in a zone
)

// withoutTimes is a text with one blank for many, and T for each time that ends a column.
func withoutTimes(text string) string {
	text = regexp.MustCompile(`in [0-9.]+m?s `).ReplaceAllString(text, "in T ")
	text = regexp.MustCompile(`(?m)^(resolver .*|list .*) [0-9.]+m?s  `).
		ReplaceAllString(text, "$1 T  ")
	return regexp.MustCompile(` +`).ReplaceAllString(text, " ")
}

// nameserver answers for five lists: three have the client, of which one does not pass its test,
// and another lies.
func nameserver(t *testing.T) *lab.Nameserver {
	n := lab.NewNameserver(t,
		dnsReversed+"in-addr.arpa. 60 IN PTR mail.example.com.",
		dnsReversed+"in-addr.arpa. 60 IN PTR forged.example.org.",
		"mail.example.com. 60 IN A "+dnsClient, "forged.example.org. 60 IN A 192.0.2.1",
		dnsReversed+"lies.example. 60 IN A 127.255.255.254",
		dnsReversed+"untested.example. 60 IN A 127.0.0.9",
		dnsReversed+key+".dq.example. 300 IN A 127.0.0.4",
		dnsReversed+key+".dq.example. 300 IN A 127.0.0.11",
		"2.0.0.127."+key+".dq.example. 300 IN A 127.0.0.4",
	)
	n.AddList(t, "wl.example", "7.8.9.127")
	n.AddList(t, "other.example")
	return n
}

const dnsConf = `
resolver %v
dnsbl ` + key + `.dq.example=127.0.0.[2..11]*3 as=zen
dnsbl wl.example=127.0.0.2*-1
dnsbl other.example*2
dnsbl lies.example*9
dnsbl untested.example*9
dnsbl_threshold 2
dnsbl_welcome -1
dnsbl_ttl 3m 30m
deny .example.net
greet_delay 1s stress=1s
` + noListNotes

// noListNotes are noNotes that do not allow the client.
const noListNotes = "allow 127.0.0.1 ::1\nmax_waiting 1000\n"

// check ADDRESS prints what each list says, and keeps nothing of it.
func TestCheckAsksDNS(t *testing.T) {
	n := nameserver(t)
	p := inPlace(t, fmt.Sprintf(dnsConf, n.Addr))
	p.do(func(*ledger.Tx) {}) // there is a ledger
	text, errs := p.says(0, "check", "-n", dnsClient)
	if n.Asked(dnsReversed+"wl.example") > 0 || errs != "" ||
		!strings.Contains(text, "\nDNS was not asked, and nothing is remembered\n") {
		t.Errorf("check -n:\n%s%s", text, errs)
	}
	text, errs = p.says(0, "check", dnsClient)
	const want = `
 7 deny name no matching rule for mail.example.com
 8 allow name no matching rule for mail.example.com
 9 known no
 10 leaves within the delay no offence
 11 speaks within the delay refused; strikes: ehlo=1 pipelined=1 tls=0 http=0 proxy=0 other=1
> 12 dnsbl_threshold score 2 (zen:127.0.0.4*3,wl.example:127.0.0.2*-1); refused from 2
 13 dnsbl_welcome score 2 (zen:127.0.0.4*3,wl.example:127.0.0.2*-1);
 need not wait from -1 down
 14 quiet to the end served after 1s
DNS, in T weight holds answer
 zen +3 5m 127.0.0.4,127.0.0.11
 wl.example -1 30m 127.0.0.2
 other.example 3m not listed
 lies.example does not count: public-resolver
 untested.example does not count: lists-none
 sum 2 3m dnsbl_threshold 2, dnsbl_welcome -1
 name forged.example.org does not count: its own addresses do not confirm it
 name mail.example.com
 lies.example says by 127.255.255.254 that it does not answer public resolvers; run a resolver ` +
		`of your own, or get a key from the list
 untested.example does not list 127.0.0.2, as every list must; see whether it is one of ` +
		`addresses, and whether its key holds
verdict: DNSBL
`
	if got := withoutTimes(text); !strings.HasSuffix(got, want) || errs != "" {
		t.Errorf("got\n%s%s\nwant\n%s", got, errs, want)
	}
	text, _ = p.says(0, "status")
	for _, name := range []string{"zen", "other.example"} {
		if got := strings.Join(lines(text, "  "+name+" "), "\n"); !regexp.MustCompile(
			`^  \S+ +0 +0 +0 +not tested yet$`).MatchString(got) {
			t.Errorf("check has changed the ledger: %q", got)
		}
	}
	if !strings.Contains(text, "\nlookups") || !strings.Contains(text, "0 of 1024 kept\n") {
		t.Errorf("no lookup was to be kept:\n%s", text)
	}
}

// meet has a client served by a door with the configuration, and returns what it reads and the log.
func (p *place) meet() (reply, log string) {
	p.Helper()
	dir, err := os.MkdirTemp("", "log") // a socket's path must be short
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { os.RemoveAll(dir) })
	syslog, err := net.ListenPacket("unixgram", filepath.Join(dir, "log"))
	if err != nil {
		p.Fatal(err)
	}
	defer syslog.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	defer l.Close()
	from := netip.MustParseAddrPort(dnsClient + ":0")
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from)}
	client, err := dialer.Dial("tcp", l.Addr().String())
	if err != nil {
		p.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		p.Fatal(err)
	}
	socket, err := conn.(*net.TCPConn).File()
	conn.Close()
	if err != nil {
		p.Fatal(err)
	}
	defer socket.Close()
	c := &call{file: p.conf, stderr: os.Stderr}
	cfg, _, err := c.config()
	if err != nil {
		p.Fatal(err)
	}
	inspected, err := wrapper.Inspect(int(socket.Fd()))
	if err != nil {
		p.Fatal(err)
	}
	d := wrapper.NewDoor(cfg.Policy(), maillog.Syslog(filepath.Join(dir, "log")))
	d.OpenLedger()
	defer d.Ledger.Close()
	d.NewSession(inspected).Run()
	b := make([]byte, 4096)
	client.SetDeadline(time.Now().Add(lab.Patience))
	read, _ := client.Read(b)
	reply = string(b[:read])
	for {
		syslog.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, _, err := syslog.ReadFrom(b)
		if err != nil {
			return reply, log
		}
		log += string(b[:n]) + "\n"
	}
}

// check ADDRESS says what the ledger remembers, which decides about clients meanwhile; and the zone
// of a list with as= is in nothing that anybody can read.
func TestKeysStaySecret(t *testing.T) {
	n := nameserver(t)
	p := inPlace(t, fmt.Sprintf(dnsConf, n.Addr))
	p.write(strings.Replace(p.read(), "1s stress=1s", "4m", 1)) // DNS is faster on any machine
	reply, log := p.meet()
	if !strings.HasPrefix(reply, "554 5.7.1 mx.example.org ["+dnsClient+"] is listed by zen") ||
		!strings.Contains(log, "lists=zen:127.0.0.4*3") {
		t.Errorf("%q\n%s", reply, log)
	}
	all := reply + log
	for _, args := range [][]string{
		{"check"}, {"check", "-n"}, {"check", dnsClient}, {"check", "-n", dnsClient}, {"status"},
		{"status", "-json"}, {"compile"}, {"blocks"}, {"unblock", dnsClient},
	} {
		out, errs := p.says(0, args...)
		all += fmt.Sprintf("sendwrap %q\n%s%s", args, out, errs)
		// The client was refused when zen had answered, perhaps before another list had.
		remembered := regexp.MustCompile(`\nremembered for another \S+, ` +
			`so clients do not ask DNS: score [23] \(zen:127\.0\.0\.4\*3.*\); ` +
			`name mail\.example\.com\n`)
		if args[len(args)-1] == dnsClient && args[0] == "check" && (!remembered.MatchString(out) ||
			!strings.HasSuffix(out, "\nverdict: DNSBL\n")) {
			t.Errorf("%q:\n%s", args, out)
		}
	}
	// It fails, and the ledger says so.
	p.do(func(t *ledger.Tx) {
		t.SetListAside(key+".dq.example", dnsbl.TooMany, 30*time.Minute)
	})
	for _, args := range [][]string{{"status"}, {"status", "-json"}, {"check", dnsClient}} {
		out, errs := p.says(0, args...)
		all += out + errs
		if !strings.Contains(out, "zen") || !strings.Contains(out, "too") {
			t.Errorf("%q does not say that zen was asked too often:\n%s", args, out)
		}
	}
	out, errs := p.says(0, "check") // finds that it works
	all += out + errs
	if !strings.Contains(out, "works; it was set aside") {
		t.Errorf("check:\n%s", out)
	}
	// Wrong lines.
	for _, line := range []string{"=x as=zen", "*x as=zen", "..net as=zen", " as=", " as=a/b",
		" as=zen url=x", " as=zen as=zen", "=127.0.0.2 other.example as=zen",
		" as=zen x=y", "/24 as=zen"} {
		p.write("dnsbl " + key + ".dq.example" + line + "\n" + p.read())
		for _, args := range [][]string{{"check"}, {"check", dnsClient}} {
			out, errs := p.says(ExitUsage, args...)
			all += out + errs
		}
		out, errs := p.says(0, "status")
		all += out + errs
		_, text, _ := strings.Cut(p.read(), "\n")
		p.write(text)
	}
	if strings.Contains(strings.ToLower(all), key) {
		for _, line := range lines(strings.ToLower(all), key) {
			t.Errorf("tells the key: %s", line)
		}
	}
	if strings.Count(all, "zen") < 20 {
		t.Errorf("proves nothing:\n%s", all)
	}
}

// Without lists and names nothing of DNS is said or asked.
func TestCheckWithoutDNS(t *testing.T) {
	n := lab.NewNameserver(t)
	n.Hold("")
	p := inPlace(t, "resolver "+n.Addr.String()+"\n"+noListNotes)
	for _, args := range [][]string{{"check"}, {"check", dnsClient}, {"status"}} {
		if out, errs := p.says(0, args...); errs != "" || strings.Contains(out, "DNS ") ||
			strings.Contains(out, "DNS,") || strings.Contains(out, "resolver") ||
			strings.Contains(out, "lookups") {
			t.Errorf("%q:\n%s%s", args, out, errs)
		}
	}
}
