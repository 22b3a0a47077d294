package try

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// judge notices each kind of difference.
func TestJudge(t *testing.T) {
	const s = time.Second
	one := expectation{[]outcome{{"220", 1, 3 * s, 5 * s}}, counts{decide.Pass: 1}, false}
	asWanted := counts{decide.Pass: 1, decide.Conns: 2}
	crowd := expectation{[]outcome{{"220", 1, 3 * s, 5 * s}, {"421 4.7.0", 2, 0, s}}, asWanted,
		false}
	flood := expectation{[]outcome{{"220", 2, 0, 5 * s}}, counts{decide.Pass: 2}, true}
	greeting := sight{reply: "220 mx ESMTP", took: 4 * s}
	refusal := sight{reply: "421 4.7.0 mx too many", took: s / 2}
	tests := []struct {
		name     string
		want     expectation
		sights   []sight
		verdicts counts
		problems []string
	}{
		{"as it should", one, []sight{greeting}, counts{decide.Pass: 1}, nil},
		{"crowd as it should", crowd, []sight{refusal, greeting, refusal}, asWanted, nil},
		{"another reply", one, []sight{{reply: "554 5.5.1 mx no", took: 4 * s}},
			counts{decide.Pass: 1},
			[]string{`saw "554 5.5.1 mx no"; want 220`, "0 saw 220; want 1"}},
		{"the right code with another status", crowd,
			[]sight{{reply: "421 4.3.2 mx busy"}, greeting, refusal}, asWanted,
			[]string{`saw "421 4.3.2 mx busy"; want 220 or 421 4.7.0`, "1 saw 421 4.7.0; want 2"}},
		{"nothing", one, []sight{{reply: nothing, took: 20 * s, err: errors.New("i/o timeout")}},
			counts{},
			[]string{`saw "nothing"; want 220`, "i/o timeout", "0 saw 220; want 1",
				"the ledger counts none; want PASS"}},
		{"nobody", one, nil, counts{}, []string{"0 saw 220; want 1",
			"the ledger counts none; want PASS"}},
		{"too early", one, []sight{{reply: "220 mx", took: 2999 * time.Millisecond}},
			counts{decide.Pass: 1},
			[]string{"220 came after 3.00s; want at least 3.00s"}},
		{"too late", one, []sight{{reply: "220 mx", took: 6 * s}}, counts{decide.Pass: 1},
			[]string{"220 came after 6.00s; want at most 5.00s"}},
		{"one of many too late", crowd, []sight{refusal, {reply: "421 4.7.0 mx", took: 2 * s},
			greeting}, asWanted,
			[]string{"421 4.7.0 came after 2.00s; want at most 1.00s"}},
		{"one too many let in", crowd, []sight{greeting, greeting, refusal}, asWanted,
			[]string{"2 saw 220; want 1", "1 saw 421 4.7.0; want 2"}},
		{"another verdict", one, []sight{greeting}, counts{decide.Known: 1},
			[]string{"the ledger counts KNOWN; want PASS"}},
		{"a verdict too many", one, []sight{greeting}, counts{decide.Pass: 1, decide.Failed: 1},
			[]string{"the ledger counts 1 FAILED, 1 PASS; want PASS"}},
		{"known or not", flood, []sight{greeting, greeting},
			counts{decide.Pass: 1, decide.Known: 1}, nil},
		{"none known", flood, []sight{greeting, greeting}, counts{decide.Pass: 2}, nil},
		{"known and too many", flood, []sight{greeting, greeting},
			counts{decide.Pass: 2, decide.Known: 1},
			[]string{"the ledger counts 2 PASS, 1 KNOWN; want 2 PASS or KNOWN"}},
		{"trouble behind the greeting", one, []sight{{reply: "220 mx", took: 4 * s,
			err: errors.New("DATA: replied 503")}}, counts{decide.Pass: 1},
			[]string{"DATA: replied 503"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.want.judge(tt.sights, tt.verdicts); !slices.Equal(got, tt.problems) {
				t.Errorf("got  %q\nwant %q", got, tt.problems)
			}
		})
	}
}

func TestCode(t *testing.T) {
	for reply, want := range map[string]string{
		"220 mx.example ESMTP":      "220",
		"220 2.0.0 is a host name":  "220",
		"554 5.5.1 mx.example no":   "554 5.5.1",
		"421 4.7.0":                 "421 4.7.0",
		"554 mx.example no":         "554",
		"554 4.7.0 is contradicted": "554",
		"554 mx.example.org no":     "554",
		"554":                       "554",
		"554 .. x":                  "554",
		"":                          "",
		closed:                      closed,
		nothing:                     nothing,
		"999 5.5.1 x":               "999 5.5.1 x",
	} {
		if got := code(reply); got != want {
			t.Errorf("code(%q) = %q; want %q", reply, got, want)
		}
	}
}

func TestSince(t *testing.T) {
	var before, after ledger.Totals
	before.Verdicts[decide.Pass], after.Verdicts[decide.Pass] = 3, 8
	before.Verdicts[decide.Known], after.Verdicts[decide.Known] = 2, 2
	after.Verdicts[decide.Conns] = 15
	if got, want := since(before, after).String(), "5 PASS, 15 CONNS"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}
