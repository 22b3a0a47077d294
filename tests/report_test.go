package tests

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// weekLog is what a week's clients have left in the mail log.
const weekLog = "../wrapper/report/testdata/week.log"

// The report that a real sendmail puts into a mailbox has both of its forms, as they are printed.
func TestReportByMail(t *testing.T) {
	t.Parallel()
	lab.Need(t, lab.NoNamespaces())
	lab.Need(t, lab.NoSendmail())
	dir := lab.Dir() + "/report-by-mail" // where sendmail's user may go
	site := lab.SendmailSite{Dir: filepath.Join(dir, "site"),
		Boxes: map[string][]string{"alice": {"alice"}}}
	script := "#!/bin/sh\nexec " + lab.Sendmail + " -C " + site.CF() + ` "$@"` + "\n"
	for _, err := range []error{os.MkdirAll(site.Dir, 0o755), site.Make(),
		os.WriteFile(filepath.Join(dir, "sendmail"), []byte(script), 0o755),
		os.WriteFile(filepath.Join(dir, "conf"), []byte("mta "+dir+"/sendmail -bs\n"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	report := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(os.Getenv("SENDWRAP"), append([]string{"report"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
		return string(out)
	}
	if said := report("-f", dir+"/conf", "-mail", "alice@"+lab.HostName, weekLog); said != "" {
		t.Errorf("it says %q", said)
	}
	var box []byte
	lab.Eventually(t, "the mail comes", func() bool {
		box, _ = os.ReadFile(filepath.Join(site.Dir, "alice"))
		return bytes.Contains(box, []byte("\n--=_sendwrap--"))
	})
	_, message, _ := bytes.Cut(box, []byte("\n")) // behind the line "From "
	m, err := mail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if _, dateErr := m.Header.Date(); err != nil || dateErr != nil ||
		kind != "multipart/alternative" || m.Header.Get("To") != "alice@"+lab.HostName ||
		m.Header.Get("From") == "" || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%v, %v: %v", err, dateErr, m.Header)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []struct{ kind, form string }{
		{"text/plain", "-text"}, {"text/html", "-html"},
	} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(p)
		if err != nil || string(got) != report(want.form, weekLog) ||
			!strings.HasPrefix(p.Header.Get("Content-Type"), want.kind) {
			t.Errorf("%v: the part %v is not the report", err, p.Header)
		}
	}
}

// On a terminal a row of # grows while a long log is read, within its width, and is gone
// before the report is there. On a pipe there is none.
func TestReportProgress(t *testing.T) {
	t.Parallel()
	lab.Need(t, lab.NoNamespaces())
	week, err := os.ReadFile(weekLog)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "mail.log")
	for columns, row := range map[uint16]string{
		80: `\r\[#[# ]{39}\] +\d+ %`, 20: `\r\[#[# ]{10}\] +\d+ %`,
	} {
		shows := regexp.MustCompile(row)
		for times := 100; ; times *= 2 { // until reading it takes long enough
			if err := os.WriteFile(log, bytes.Repeat(week, times), 0o600); err != nil {
				t.Fatal(err)
			}
			shown, out := onTerminal(t, columns, log)
			if !strings.Contains(out, "\n\nrefused and served") {
				t.Fatalf("not the report:\n%s", out)
			}
			for part := range strings.SplitSeq(shown, "\r") {
				if len(part) >= int(columns) {
					t.Errorf("%d columns: %q is too long", columns, part)
				}
			}
			if shows.MatchString(shown) {
				if !strings.HasSuffix(shown, "\r\x1b[K") {
					t.Errorf("%q stays", shown)
				}
				break
			}
			if times > 10_000 {
				t.Fatalf("no row:\n%q", shown)
			}
		}
	}
	cmd := exec.Command(os.Getenv("SENDWRAP"), "report", log)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Errorf("%v, on a pipe %q", err, &errs)
	}
}

// onTerminal makes a report whose standard error is a terminal, and returns what that shows and the
// report.
func onTerminal(t *testing.T, columns uint16, log string) (shown, out string) {
	t.Helper()
	master, slave, err := openTerminal()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	size := unix.Winsize{Row: 24, Col: columns}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &size); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Getenv("SENDWRAP"), "report", log)
	var report bytes.Buffer
	cmd.Stdout, cmd.Stderr = &report, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	var b bytes.Buffer
	_, _ = io.Copy(&b, master) // EIO at the end of the last process that has it
	if err := cmd.Wait(); err != nil {
		t.Fatal(fmt.Errorf("%w: %s", err, &b))
	}
	return b.String(), report.String()
}
