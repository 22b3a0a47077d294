package guard

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// password is the password of all users.
const password = "open sesame"

const (
	saslDir   = "/usr/lib/sasl2"
	saslPlain = "/usr/lib/*/sasl2/libplain.so"

	saslauthdSocket = "/run/saslauthd/mux" // where libsasl looks for it
)

// saslConf makes an MTA ask saslauthd.
const saslConf = "pwcheck_method: saslauthd\nmech_list: PLAIN\n"

// configureSASL writes saslConf where libsasl looks for sendmail's. (Postfix's is beside main.cf.)
func configureSASL() error {
	if _, err := os.Stat(saslDir); errors.Is(err, os.ErrNotExist) {
		return nil // needSASL skips
	}
	if err := unix.Mount("tmpfs", saslDir, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(saslDir, "Sendmail.conf"), []byte(saslConf), 0o644)
}

// needSASL starts saslauthd.
func needSASL(t *testing.T) {
	t.Helper()
	lab.Need(t, lab.Lack(saslPlain))
	lab.Need(t, lab.NoNamespaces())
	if err := saslauthd(); err != nil {
		t.Fatal(err)
	}
}

// saslauthd stands in for the daemon of that name: it reads user, password, service and realm, each
// after its length, and answers OK or NO.
var saslauthd = sync.OnceValue(func() error {
	if err := os.MkdirAll(filepath.Dir(saslauthdSocket), 0o755); err != nil {
		return err
	}
	l, err := net.Listen("unix", saslauthdSocket)
	if err == nil {
		err = os.Chmod(saslauthdSocket, 0o666)
	}
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var said [4]string
				for i := range said {
					var length uint16
					if binary.Read(c, binary.BigEndian, &length) != nil {
						return
					}
					text := make([]byte, length)
					if _, err := io.ReadFull(c, text); err != nil {
						return
					}
					said[i] = string(text)
				}
				answer := "NO"
				if said[1] == password {
					answer = "OK"
				}
				_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))),
					answer...))
			}()
		}
	}()
	return nil
})
