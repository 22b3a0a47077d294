package share

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/maillog"
)

// An engine goes, and soon stays away for another reason, and a third one: its line is not written
// in the same minute, but it is the last one in the end.
func TestLastReasonIsLogged(t *testing.T) {
	dir := t.TempDir()
	m := startMember(t, filepath.Join(dir, "ledger"), "")
	syslog, err := net.ListenPacket("unixgram", filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer syslog.Close()
	m.log, m.version, m.name = maillog.Syslog(filepath.Join(dir, "log")), "Valkey 8", "mx1"
	const went = "share: the engine is away: EOF; what happens meanwhile is sent later"
	for i, tt := range []struct {
		why   string
		soon  bool // after the last reason
		lines []string
	}{
		{"EOF", true, []string{went}},
		{"refused", false, []string{"share: refused"}},
		{"WRONGPASS", true, nil},
		{"WRONGPASS", true, nil},
		{"WRONGPASS", false, []string{"share: WRONGPASS"}},
		{"WRONGPASS", false, nil},
	} {
		if i == 0 {
			m.find(t.Context())
			tt.lines = append([]string{"share: Valkey 8 answers; this machine is mx1"}, tt.lines...)
		}
		m.whyAt = time.Now().Add(time.Hour)
		if !tt.soon {
			m.whyAt = time.Time{}
		}
		m.lose(tt.why)
		if lines := m.logged(t, syslog); !slices.Equal(lines, tt.lines) {
			t.Errorf("row %d: %q: %q; want %q", i, tt.why, lines, tt.lines)
		}
	}
}

// logged returns the lines that have come since it was last called.
func (m *member) logged(t *testing.T, syslog net.PacketConn) (lines []string) {
	t.Helper()
	m.note("end")
	for line := make([]byte, maillog.MaxFrame); ; {
		n, _, err := syslog.ReadFrom(line)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(line[:n]), "]: ")
		if text == "end" {
			return lines
		}
		lines = append(lines, text)
	}
}
