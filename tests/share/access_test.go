package share

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// write writes a file of root's.
func (m *machine) write(name, text string) string {
	m.t.Helper()
	if err := os.WriteFile(m.file(name), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return m.file(name)
}

// asUser is that share_engine as the user sendwrap, with a password.
func (m *machine) asUser(engine string) string {
	return fmt.Sprintf("%s user=sendwrap password=%s", engine, m.write("secret", "s3cret\n"))
}

// grant makes that user on the engines, with the rights that `share -check` prints.
func (m *machine) grant(engines ...*engine) {
	m.t.Helper()
	out, err := m.try("share", "-check")
	_, line, found := strings.Cut(out, "these rights suffice: ACL ")
	if err == nil || !found || !strings.Contains(out, "write the right password") {
		m.t.Fatalf("without a user: %v:\n%s", err, out)
	}
	line, _, _ = strings.Cut(line, "\n")
	line = strings.Replace(line, ">PASSWORD", ">s3cret", 1)
	for _, e := range engines {
		e.do(append([]string{"acl"}, strings.Fields(line)...)...)
	}
}

// The rights that `share -check` prints suffice, also over a unix socket. Without one of them, or
// with a wrong password, the log says what to do.
func TestRights(t *testing.T) {
	eachEngine(t, testRights)
}

func testRights(t *testing.T, name string) {
	e := startEngine(t, name)
	a, b := newMachine(t, e, "mx1", quick), newMachine(t, e, "mx2", quick)
	a.configure(a.asUser(a.engine), quick)
	b.configure(b.asUser("unix://"+e.socket()), quick)
	a.grant(e)
	for _, m := range []*machine{a, b} {
		m.startShare()
		m.waitLogged(back, 1)
	}
	a.command("block", "198.18.0.1", "1h")
	b.waitLogged("BLOCK network=198.18.0.1/32", 1)
	out := a.command("share", "-check")
	for _, want := range []string{"engine: " + name, "rights: all that are needed", "mx2: "} {
		if !strings.Contains(out, want) {
			t.Errorf("share -check says nothing of %q: %s", want, out)
		}
	}
	e.do("acl", "setuser", "sendwrap", "-xadd")
	a.command("block", "198.18.0.2", "1h")
	a.waitLogged("share -check prints the ACL line that suffices", 1)
	e.do("acl", "setuser", "sendwrap", "+xadd")
	b.waitLogged("BLOCK network=198.18.0.2/32", 1) // it was not lost meanwhile
	e.do("acl", "log", "reset")
	e.do("acl", "setuser", "sendwrap", "resetpass", ">other")
	if out, err := a.try("share", "-check"); err == nil ||
		!strings.Contains(out, "write the right password into the file of password=") {
		t.Errorf("with a wrong password: %v: %s", err, out)
	}
}

// TLS: with the certificate that signs the engine's it works. With another, or without TLS there,
// it does not, and the log says what to write.
func TestTLS(t *testing.T) {
	eachEngine(t, testTLS)
}

func testTLS(t *testing.T, name string) {
	lab.NeedProgram(t, "openssl")
	e := startEngine(t, name)
	a, b := newMachine(t, e, "mx1", quick), newMachine(t, e, "mx2", quick)
	host := func(m *machine) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(m.engine, "valkey://"), ":")
		return name
	}
	for _, name := range []string{"right", "wrong"} {
		out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
			"ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", "/CN=engine", "-addext",
			"subjectAltName=IP:"+host(a)+",IP:"+host(b), "-keyout", a.file(name+".key"), "-out",
			a.file(name+".pem")).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl: %v: %s", err, out)
		}
	}
	e.do("config", "set", "tls-auth-clients", "no", "tls-cert-file", a.file("right.pem"),
		"tls-key-file", a.file("right.key"), "tls-ca-cert-file", a.file("right.pem"), "port", "0",
		"tls-port", fmt.Sprint(e.port))
	secure := func(m *machine, ca string) {
		m.configure(strings.Replace(m.engine, "valkey:", "valkeys:", 1)+" ca="+a.file(ca), quick)
	}
	secure(a, "right.pem")
	secure(b, "wrong.pem")
	a.startShare()
	a.waitLogged(back, 1)
	b.startShare()
	b.waitLogged("write ca=FILE with the certificate that signs the engine's", 1)
	if b.logged("share", back) != 0 {
		t.Error("another certificate was accepted")
	}
	b.share.KillAll()
	b.configure(b.engine, quick)
	b.startShare()
	b.waitLogged("if its port speaks TLS, write valkeys://", 1)
}

// Two machines of one name are told so.
func TestTwoOfOneName(t *testing.T) {
	t.Parallel()
	e := startEngine(t, redis)
	a, b := newMachine(t, e, "mx1", quick), newMachine(t, e, "mx1", quick)
	a.startShare()
	a.waitLogged(back, 1)
	b.startShare()
	a.waitLogged("share: another machine is called mx1, too; give each a share_name", 1)
}
