package admin

import (
	"bytes"
	"strings"
	"testing"
)

// For misplaced or misspelled words the error says what to write instead.
func TestMistyped(t *testing.T) {
	p := inPlace(t, "")
	for _, tt := range []struct{ args, want string }{
		{"block 192.0.2.9 -kill",
			`sendwrap block: -kill comes too late; write it before "192.0.2.9"`},
		{"block 192.0.2.9 1h --kill", `sendwrap block: --kill comes too late; write it before`},
		{"block -kill 192.0.2.9 1h x -f=CONF", `sendwrap block: -f=CONF comes too late; write`},
		{"unblock 192.0.2.9 -auto", `sendwrap unblock: -auto comes too late; write it before`},
		{"check 192.0.2.9 -f CONF", `sendwrap check: -f comes too late; write it before`},
		{"block -- 192.0.2.9 -kill", `sendwrap block: "-kill" is not a time`},
		{"block 192.0.2.9 1h sends viruses", "sendwrap block: the reason has several words; " +
			`put them in quotes: "sends viruses"`},
		{"block 192.0.2.9 sends viruses", `sendwrap block: "sends" is not a time; write a number ` +
			"with ms, s, m, h or d, such as 90s or 1h30m; a reason comes after the time"},
		{"strike 192.0.2.9 -f CONF", `sendwrap strike: unexpected argument "CONF"`},
	} {
		if out, errs := p.says(100, strings.Fields(tt.args)...); out != "" ||
			!strings.HasPrefix(errs, tt.want) {
			t.Errorf("%s says %s%s; want %s", tt.args, out, errs, tt.want)
		}
	}
	// A filter may pass a text that looks like a flag: it is counted all the same.
	if out, _ := p.says(0, "strike", "192.0.2.9", "-f"); !strings.Contains(out, "strike 1 of 3") {
		t.Errorf("a reason that looks like a flag: %s", out)
	}

	for word, want := range map[string]string{
		"blok": "did you mean sendwrap block?", "UNBLOCK": "did you mean sendwrap unblock?",
		"stat": "did you mean sendwrap status?", "--check": "did you mean sendwrap check?",
		"vers": "did you mean sendwrap version?", "-x": "see sendwrap help",
		"restart": "see sendwrap help", "": "see sendwrap help",
	} {
		var out, errs bytes.Buffer
		want = "sendwrap: unknown command \"" + word + "\"; " + want + "\n"
		if code := Run([]string{word}, ".", &out, &errs); code != 100 || out.Len() > 0 ||
			errs.String() != want {
			t.Errorf("exit code %d, says %s%s; want %s", code, &out, &errs, want)
		}
	}
	var version bytes.Buffer
	Run([]string{"version"}, ".", &version, &version)
	for _, word := range []string{"-v", "-V", "-version", "--version"} {
		var out, errs bytes.Buffer
		if code := Run([]string{word}, ".", &out, &errs); code != 0 || errs.Len() > 0 ||
			out.String() != version.String() {
			t.Errorf("%s: exit code %d, says %s%s; want %s", word, code, &out, &errs, &version)
		}
	}
}
