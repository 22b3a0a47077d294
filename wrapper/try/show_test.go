package try

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The show as a user types it, with configurations that are hard to show. Nothing is left behind.
func TestShow(t *testing.T) {
	program := built()
	tests := []struct {
		name, conf string // "" = built in
		want       []string
	}{
		{"built in", "", []string{
			"MTA a stand-in; it discards all mail\nsuper-server 127.0.0.1:",
			", starts sendwrap for each client\nguard process ",
			"\n\nclient what it does what it reads verdict after\n127.1.0.1 waits, ",
			" 20 at once, client_conns 5 5× 220, 15× 421 4.7.0 5 PASS, 15 CONNS ",
			" waits this time, but is blocked 421 4.7.1 [127.8.0.1] is blocked … BLOCKED ",
			" mistypes a name, delivers 220 ",
			" guesses names, bad_rcpts 3 ended at guess 3, learned nothing 1 BADRCPTS, 1 PASS ",
			" guesses again, second strike ended at guess 3, learned nothing 1 BADRCPTS, 1 PASS ",
			" comes back, but is blocked 421 4.7.1 [127.11.0.1] is blocked… BLOCKED ",
			"\n127.15.0.1 is on a list that lies, waits 220 ESMTP stand-in PASS ",
			"\n the list is set aside: public-resolver\n",
			"\n127.13.0.1 is on a list 554 5.7.1 [127.13.0.1] is listed … DNSBL ",
			"\n is listed by bad.try.example\n",
			"\n127.14.0.1 is praised by a list 220 ESMTP stand-in DNSWL ",
			"\n lies.try.example says by 127.255.255.254 that ",
			" 1 each, bad_rcpts_total 10/1h 9× 550 5.1.1, 1× ended at guess 1… " +
				"1 BADRCPTS, 1 PASS, 9 KNOWN ",
			"\n PREGREET 4 4\n",
			"\nall 21 scenes went as expected\n",
		}},
		{"what cannot be shown", `
			greet_delay 0s
			on_pregreet tempfail
			client_rate 3/2m
			client_conns 2
			max_sessions 1
			max_waiting 1
			refuse_load 0.01
			count_by 8 64
			remember 2s
			block strikes=2 within=1s for=1s max=1s
			bad_rcpts 2
			bad_rcpts_percent 100
			bad_rcpts_total 5/1m
			bad_rcpt_delay 5s
			max_rcpts 1
			max_resets 1
			guard_listen 127.0.0.1:1
			on_block /bin/false
			transcript /nonexistent/transcripts
			mode observe
			dnsbl s3cretk3y.example*9 as=mine
			resolver 192.0.2.1
			dnsbl_threshold 1000
			dnsbl_welcome -1000
			on_listed tempfail
			log stderr
			ledger /nonexistent/directory/ledger clients=2000
			deny 127.0.0.0/8
			mta ` + program + ` try -mta
			`, []string{
			"; changed for the show: ledger, log, mode, networks, lists, guard_listen, " +
				"greet_delay 1s, remember 1m, block within 1m, block for 1m, max_sessions 40, " +
				"max_waiting 40, " +
				"count_by 16 64, refuse_load 0, on_block off, transcript off\n",
			" speaks before the greeting 421 4.5.1 ",
			" is on a list 421 4.7.1 ",
			" is praised by a list 220 ESMTP stand-in DNSWL ",
			" 20 at once, client_conns 2 2× 220, 18× 421 4.7.0 ",
			" 8 in a row, client_rate 3/2m 3× 220, 5× 421 4.7.0 ",
			" speaks too soon, strike 2 of 2 421 4.5.1 ",
			" guesses names, bad_rcpts 2 ended at guess 2, learned nothing ",
			" 1 each, bad_rcpts_total 5/1m 4× 550 5.1.1, 1× ended at guess 1… ",
			"\nall 21 scenes went as expected\n",
		}},
		{"what is off, and an MTA that is there", `
			greet_delay 1s
			teaser "one moment"
			on_pregreet drop
			on_listed drop
			remember 0
			block off
			bad_rcpts 0
			bad_rcpts_total 0
			mta ` + program + ` try -mta
			`, []string{
			"\nMTA " + program + " try -mta\n",
			"\n postmaster receives two messages\n",
			" comes back (remember is 0) 220 ESMTP stand-in PASS ",
			" speaks before the greeting closed without a reply PREGREET ",
			" is on a list closed without a reply DNSBL ",
			" 15 in a row, client_rate 10/1m 10× 220, 5× 421 4.7.0 10 PASS, 5 RATE ",
			" guesses names, bad_rcpts 3 ended at guess 3, learned nothing 1 BADRCPTS, 1 PASS ",
			" comes back, block is off 220 ",
			" 1 each, bad_rcpts_total 10/1h 9× 550 5.1.1, 1× ended at guess 1… " +
				"1 BADRCPTS, 10 PASS ",
			"\n192.0.2.77 asks for a relay 550 5.1.1 user unknown ALLOWED ",
			"\n the MTA's answer for relay@try.example: 550 5.1.1 user unknown\n",
			"\nall 19 scenes went as expected\n",
		}},
		{"a denied client is talked to, and to be early is no strike", `
			greet_delay 1s
			on_denied talk
			strikes_by_kind ehlo=0
			mta ` + program + ` try -mta
			`, []string{
			" is denied, refused at RCPT 220, then 550 5.7.1 DENIED ",
			" speaks too soon, no strike 554 5.5.1 ",
			" waits this time 220 ",
			" comes back, but is blocked 421 4.7.1 ",
			"\nall 20 scenes went as expected\n",
		}},
		{"to be early is two strikes", `
			greet_delay 1s
			strikes_by_kind ehlo=2
			mta ` + program + ` try -mta
			`, []string{
			" speaks too soon, strike 2 of 3 ",
			" speaks too soon, strike 3 of 3 ",
			"\nall 21 scenes went as expected\n",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shows(t, program, tt.conf, []string{"-slow"}, tt.want)
		})
	}
}

// shows runs the show, which must succeed and print what is wanted.
func shows(t *testing.T, program, conf string, args, want []string) {
	t.Helper()
	args = append([]string{"try"}, args...)
	if conf != "" {
		args = append(args, "-f", write(t, conf))
	}
	showsAs(t, exec.Command(program, args...), want)
}

// showsAs does the same with a command that ends in the show.
func showsAs(t *testing.T, cmd *exec.Cmd, want []string) {
	t.Helper()
	tmp := tempDir(t)
	cmd.Env = append(cmd.Environ(), "TMPDIR="+tmp)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v; want exit status 0", err)
	}
	for _, want := range want {
		if !strings.Contains(spaces.ReplaceAllString(string(out), " "), want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
	nothingLeft(t, tmp)
}

// spaces separate the columns of a line.
var spaces = regexp.MustCompile(" +")

func write(t *testing.T, conf string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sendwrap.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// nothingLeft looks for files in the temporary directory of a show, and for processes that were
// started with one of them.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%s holds %v, %v; want nothing", dir, entries, err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(processes) == 0 {
		t.Fatalf("no processes: %v", err)
	}
	for _, file := range processes {
		if argv, err := os.ReadFile(file); err == nil && bytes.Contains(argv, []byte(dir+"/")) {
			t.Errorf("%s: %q is still there", file, argv)
		}
	}
}
