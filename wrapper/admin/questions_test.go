package admin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// check says why programs and directories that on_block, transcript and guard_listen name could not
// be used, each in a line.
func TestCheckExaminesGuard(t *testing.T) {
	dir := t.TempDir()
	program, shared := filepath.Join(dir, "program"), filepath.Join(dir, "shared")
	open, notes := filepath.Join(dir, "open"), filepath.Join(dir, "notes")
	if err := errors.Join(
		os.WriteFile(program, nil, 0o755), os.WriteFile(notes, nil, 0o644),
		os.WriteFile(shared, nil, 0o755), os.Chmod(shared, 0o777),
		os.Mkdir(open, 0o700), os.Chmod(open, 0o777),
		os.WriteFile(filepath.Join(open, "program"), nil, 0o755),
	); err != nil {
		t.Fatal(err)
	}
	const alone = "chmod go-w it\n1 error\n" // and no other cure
	for _, tt := range []struct{ line, want string }{
		{"on_block " + program, ""},
		{"on_block /no/such/program", "on_block: exec /no/such/program: " +
			"no such file or directory; write on_block PROGRAM ARG..."},
		{"on_block " + notes, "on_block: exec " + notes +
			": permission denied: the file is not executable; write on_block PROGRAM ARG..."},
		{"on_block " + dir, "on_block: exec " + dir + ": is a directory; write on_block PROGRAM"},
		{"on_block " + shared,
			"on_block: " + shared + ": mode 0777 lets others write it; " + alone},
		{"on_block " + open + "/program",
			"on_block: " + open + ": mode 0777 lets others replace what is in it; " + alone},
		{"transcript " + dir + "/transcripts", ""},
		{"transcript " + notes, "transcript: open " + notes + ": not a directory"},
		{"transcript /no/such/dir/x", "transcript: there is no directory /no/such/dir; mkdir -p"},
		{"transcript " + open, "transcript: " + open +
			": mode 0777 lets others replace what is in it; name a directory of the guard's own"},
		{"guard_listen unix:" + open + "/guard.sock", "guard_listen: " + open +
			": mode 0777 lets others replace what is in it; chmod 0755 it"},
		{"guard_listen unix:" + notes,
			"guard_listen: " + notes + ": is not a socket; name another"},
		{"guard_listen unix:/no/such/dir/guard.sock",
			"guard_listen: there is no directory /no/such; " +
				"mkdir -p -m 0755 /no/such/dir\n"}, // 0700 would keep the MTA's user out
		{"guard_listen unix:" + dir + "/guard.sock", ""},
		{"guard_listen unix:/run/sendwrap/guard.sock owner=nosuch",
			"guard_listen: owner=nosuch: user: unknown user nosuch; name one of /etc/passwd"},
		{"guard_listen unix:/run/sendwrap/guard.sock owner=root", ""},
		{"guard_listen unix:/run/sendwrap/guard.sock owner=1234", ""},
	} {
		p := inPlace(t, tt.line+"\n"+noNotes)
		code := 0
		if tt.want != "" {
			code = ExitUsage
		}
		_, said := p.says(code, "check")
		if want := p.conf + ":3: " + tt.want; tt.want == "" && said != "" ||
			tt.want != "" && !strings.HasPrefix(said, want) {
			t.Errorf("%s: %q; want %q", tt.line, said, want)
		}
	}
}
