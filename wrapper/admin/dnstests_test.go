package admin

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/resolve"
)

// check tests lists and resolvers. What does not work is a note, and -n asks nobody.
func TestCheckTestsDNS(t *testing.T) {
	n, dead, sour := nameserver(t), lab.NewNameserver(t), lab.NewNameserver(t)
	n.Add(t, "1.0.0.127.untested.example. 60 IN A 127.0.0.2",
		"2.0.0.127.untested.example. 60 IN A 127.0.0.2")
	n.Hold("2.0.0.127.other.example")
	dead.Hold("")
	for _, zone := range []string{"wl", "other", "lies", "untested", key + ".dq"} {
		const refused = 5
		sour.Fail("2.0.0.127."+zone+".example", refused)
		sour.Fail("1.0.0.127."+zone+".example", refused)
	}
	p := inPlace(t, fmt.Sprintf(dnsConf,
		fmt.Sprint(n.Addr, " ", sour.Addr, " ", dead.Addr)))
	p.do(func(t *ledger.Tx) {
		t.SetListAside("wl.example", dnsbl.NoAnswer, 30*time.Minute)
		t.SetListAside("other.example", dnsbl.NoAnswer, 30*time.Minute)
	})
	out, errs := p.says(0, "check", "-n")
	if n.Asked("2.0.0.127.wl.example") > 0 || strings.Contains(out+errs, "resolver") {
		t.Errorf("check -n asks:\n%s%s", out, errs)
	}
	out, errs = p.says(0, "check")
	left := regexp.MustCompile(`another 2\dm(\d+s)?`)
	got := left.ReplaceAllString(withoutTimes(out), "another 30m")
	want := `list zen T works
list wl.example T works; it was set aside, and counts again
list other.example T fails: refused; set aside for another 30m: no-answer
list lies.example T fails: lists-none
list untested.example T fails: lists-all
resolver ` + n.Addr.String() + ` T answers
resolver ` + sour.Addr.String() + ` T refuses
resolver ` + dead.Addr.String() + ` no answer
`
	if !strings.HasPrefix(got, want+"ok: ") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, want := range []string{
		"note: dnsbl: lies.example does not list 127.0.0.2, as every list must;",
		"note: dnsbl: untested.example lists 127.0.0.1, and so perhaps everybody;",
		"note: dnsbl: other.example is refused to us;",
		"note: resolver " + dead.Addr.String() + ": it does not answer;",
		"note: resolver " + sour.Addr.String() + ": it refuses to answer us;",
	} {
		if strings.Count(errs, want) != 1 {
			t.Errorf("no %q in\n%s", want, errs)
		}
	}
	if strings.Contains(errs, "note: dnsbl: zen") || strings.Contains(errs, "note: dnsbl: wl") {
		t.Errorf("what works has a note:\n%s", errs)
	}
	var r report
	text, _ := p.says(0, "status", "-json")
	if err := json.Unmarshal([]byte(text), &r); err != nil || len(r.Lists) != 5 ||
		r.Lists[0] != (listReport{Name: "zen"}) ||
		r.Lists[1] != (listReport{Name: "wl.example", Tested: true}) ||
		r.Lists[2].Why != dnsbl.NoAnswer || r.Lists[2].Aside < 1700 ||
		r.Lookups != (lookupReport{Room: 1024}) {
		t.Errorf("%v\n%s", err, text)
	}
}

// If no resolver answers, that alone is noted, and neither check nor a client waits for long.
func TestCheckOfDeadDNS(t *testing.T) {
	n := lab.NewNameserver(t)
	n.Hold("")
	p := inPlace(t, fmt.Sprintf(dnsConf, n.Addr))
	out, errs := p.says(0, "check")
	if want := "note: resolver " + n.Addr.String() + ": it does not answer; see whether it runs, " +
		"or name another\n"; errs != want || !strings.Contains(out, "\nok: ") ||
		len(regexp.MustCompile(`(?m)^list +\S+ +\S+ +no answer$`).FindAllString(out, -1)) != 5 {
		t.Errorf("%s%s", out, errs)
	}
	out, errs = p.says(0, "check", dnsClient)
	if strings.Count(out, " no answer\n") != 5 || errs != "" ||
		!strings.HasSuffix(out, "\nverdict: PASS after 1s\n") {
		t.Errorf("%s%s", out, errs)
	}
}

// A resolver is as good as its best answer, whatever comes first or last.
func TestResolverIsAsGoodAsItsBest(t *testing.T) {
	const no, yes = "no answer", "answers"
	for _, tt := range []struct {
		want    string
		answers []resolve.Result
	}{
		{no, nil}, {no, []resolve.Result{resolve.NoAnswer, resolve.NoAnswer}},
		{"refuses", []resolve.Result{resolve.Failed, resolve.Refused, resolve.NoAnswer}},
		{"refuses", []resolve.Result{resolve.Refused, resolve.Failed}},
		{"fails", []resolve.Result{resolve.NoAnswer, resolve.Failed}},
		{yes, []resolve.Result{resolve.NotFound, resolve.Refused, resolve.Failed}},
		{yes, []resolve.Result{resolve.NoAnswer, resolve.Failed, resolve.Found}},
	} {
		var r resolverTest
		for i, a := range tt.answers {
			r.note(resolve.Answer{Result: a}, nil, time.Duration(i+1))
		}
		if got, note := r.state(); got != tt.want || (note == "") != (got == yes) {
			t.Errorf("%v: %q, %q; want %q", tt.answers, got, note, tt.want)
		}
	}
	var r resolverTest
	r.note(resolve.Answer{Result: resolve.Found,
		Addrs: []netip.Addr{netip.MustParseAddr("127.255.255.254")}},
		&dnsbl.List{Zone: key, Name: "zen"}, 1)
	if got, note := r.state(); got != yes || !strings.HasPrefix(note,
		"by it, list zen says by 127.255.255.254 that it does not answer public resolvers;") {
		t.Errorf("%q, %q", got, note)
	}
}
