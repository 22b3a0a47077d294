package admin

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// status says once for each reason what to do if a blocked client is honest. check says so for the
// client, even before there is a block.
func TestHints(t *testing.T) {
	p := inPlace(t, "block strikes=2")
	strike := func(network, reason string, times int) {
		p.do(func(tx *ledger.Tx) {
			penalty := ledger.Penalty{Strikes: 2, Within: 1 << 40, For: 1 << 40, Max: 1 << 40}
			tx.Strike(netip.MustParsePrefix(network), reason, times, penalty)
		})
	}
	strike("192.0.2.1/32", "pregreet:proxy", 2)
	strike("192.0.2.2/32", "pregreet:proxy", 2)
	strike("192.0.2.3/32", "pregreet:tls", 2)
	strike("192.0.2.4/32", "fail2ban", 2)
	strike("192.0.2.5/32", "pregreet:http", 1)
	proxy, tls := decide.Hint("pregreet:proxy"), decide.Hint("pregreet:tls")
	http := "pregreet:http (" + decide.Hint("pregreet:http") + ")"

	text, _ := p.says(0, "status")
	_, advice, _ := strings.Cut(text, "\nif it is an honest client\n")
	for _, hint := range []string{proxy, tls} {
		if strings.Count(unfolded(advice), hint) != 1 {
			t.Errorf("want this once:\n%s\nin\n%s", hint, text)
		}
	}
	if strings.Contains(advice, "fail2ban") {
		t.Errorf("advice where there is none:\n%s", text)
	}
	text, _ = p.says(0, "status", "-json")
	var got report
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	for _, b := range got.Blocks {
		if b.Hint != decide.Hint(b.Reason) {
			t.Errorf("%+v", b)
		}
	}

	for address, want := range map[string]string{
		"192.0.2.1": "because of pregreet:proxy (" + proxy + ")",
		"192.0.2.5": "strikes in the last day: 1, the last for " + http,
		"192.0.2.6": "strikes in the last day: 0;",
	} {
		text, _ := p.says(0, "check", address)
		if text = unfolded(text); !strings.Contains(text, want) {
			t.Errorf("%s: want %q in\n%s", address, want, text)
		}
	}
}

// unfolded is a text in one line, with single blanks.
func unfolded(text string) string { return strings.Join(strings.Fields(text), " ") }

// check says what happens if this client speaks early.
func TestCheckSpeaksEarly(t *testing.T) {
	p := inPlace(t, "strikes_by_kind other=5")
	p.do(func(tx *ledger.Tx) { tx.Remember(netip.MustParsePrefix("192.0.2.1/32"), 1<<40) })
	for address, want := range map[string]string{
		"192.0.2.1": "421 and no strike: it has shown that it can wait",
		"192.0.2.2": "refused; strikes: ehlo=1 pipelined=1 tls=0 http=0 proxy=0 other=5",
		"127.0.0.1": "refused without a strike: its network holds 127.0.0.1, " +
			"an address of this machine",
	} {
		text, _ := p.says(0, "check", address)
		if !strings.Contains(unfolded(text), " 9 speaks within the delay "+want+" ") {
			t.Errorf("%s: want %q in\n%s", address, want, text)
		}
	}
}
