package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Mail sends the report to an address, as text and HTML, by the program sendmail of the MTA: that
// beside the program mta, or else where it always is.
func (r *Report) Mail(to, mta string, now time.Time) error {
	if err := CheckAddress(to); err != nil {
		return err
	}
	message, err := r.message(to, now)
	if err != nil {
		return err
	}
	program, err := sendmail(mta)
	if err != nil {
		return err
	}
	cmd := osexec.Command(program, "-oi", "-t")
	cmd.Stdin, cmd.Env = bytes.NewReader(message), []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		if line == "" {
			line = "the mail log has the reason"
		}
		return fmt.Errorf("%s: %w: %s", program, err, line)
	}
	return nil
}

// CheckAddress says what is wrong with an address that mail is to go to: it must be one word that
// is no flag and has no other meaning in a header (RFC 5322 §3.4). A user's name alone is right.
func CheckAddress(to string) error {
	local, domain, found := strings.Cut(to, "@")
	wrong := local == "" || found && domain == "" || strings.HasPrefix(to, "-") || len(to) > 254
	for i := range len(to) {
		wrong = wrong || to[i] <= ' ' || to[i] > '~' || strings.IndexByte("<>(),;:\\\"", to[i]) >= 0
	}
	if wrong {
		return fmt.Errorf("%q is no address; write one, such as postmaster or a@example.org", to)
	}
	return nil
}

// sendmail is the program that takes mail: it lies beside the MTA of qmail and of Exim too.
func sendmail(mta string) (program string, err error) {
	for _, dir := range []string{filepath.Dir(mta), "/usr/sbin", "/usr/lib", "/usr/local/sbin"} {
		program := filepath.Join(dir, "sendmail")
		info, err := os.Stat(program)
		if filepath.IsAbs(program) && err == nil && info.Mode().IsRegular() &&
			info.Mode()&0o111 != 0 {
			return program, nil
		}
	}
	return "", errors.New("there is no program sendmail beside the MTA or in /usr/sbin")
}

// boundary is between the parts of a message. Quoted-printable text never has it (RFC 2045 §6.7).
const boundary = "=_sendwrap"

// message is the mail. RFC 5322 has CR LF at the end of a line; a program on this machine takes the
// lines of this machine.
func (r *Report) message(to string, now time.Time) ([]byte, error) {
	host, _ := os.Hostname()
	var m bytes.Buffer
	fmt.Fprintf(&m, "To: %s\nSubject: sendwrap on %s: %s of %s connections refused\nDate: %s\n"+
		"Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"+
		"Content-Type: multipart/alternative; boundary=\"%s\"\n",
		to, cmp.Or(host, "localhost"), group(r.Refused), group(r.Connections),
		now.Format(time.RFC1123Z), boundary)
	for _, part := range []struct {
		kind  string
		write func(io.Writer) error
	}{{"text/plain", r.Text}, {"text/html", r.HTML}} {
		fmt.Fprintf(&m, "\n--%s\nContent-Type: %s; charset=utf-8\n"+
			"Content-Transfer-Encoding: quoted-printable\n\n", boundary, part.kind)
		var text bytes.Buffer
		quoted := quotedprintable.NewWriter(&text)
		if err := errors.Join(part.write(quoted), quoted.Close()); err != nil {
			return nil, err
		}
		m.Write(bytes.ReplaceAll(text.Bytes(), []byte("\r\n"), []byte("\n")))
	}
	fmt.Fprintf(&m, "\n--%s--\n", boundary)
	return m.Bytes(), nil
}
