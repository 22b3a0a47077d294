package share

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// TLS: with the certificate that signs the engine's it works. With another, or without TLS there,
// it does not, and the log says what to write.
func TestTLS(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "openssl")
	e := startEngine(t)
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
	e := startEngine(t)
	a, b := newMachine(t, e, "mx1", quick), newMachine(t, e, "mx1", quick)
	a.startShare()
	a.waitLogged(back, 1)
	b.startShare()
	a.waitLogged("share: another machine is called mx1, too; give each a share_name", 1)
}
