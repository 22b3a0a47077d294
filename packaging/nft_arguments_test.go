package packaging

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sendwrap-nft refuses wrong arguments, whatever they contain, before it calls nft.
func TestFirewallArguments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	write(t, filepath.Join(dir, "nft"), "#!/bin/sh\necho called >>"+calls+"\n", 0o755)
	script := filepath.Join(dir, "sendwrap-nft")
	write(t, script, replace(t, read(t, "sendwrap-nft"), "\nPATH=", "\nPATH="+dir+":"), 0o755)
	run := func(args ...string) (string, error) {
		cmd := exec.Command(script, args...)
		cmd.Env, cmd.Dir = []string{}, dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	wrong := [][]string{
		{}, {"192.0.2.1"}, {"192.0.2.1", "ipv4", "60"}, {"192.0.2.1", "ipv4", "60", "x", "y"},
		{"-f", "nftables.conf"}, {"192.0.2.1", "inet", "60", "x"}, {"192.0.2.1", "", "60", "x"},
	}
	for family, networks := range map[string][]string{
		"ipv4": {
			"192.0.2.1; flush ruleset", "192.0.2.1\nflush ruleset", "192.0.2.1\n",
			"$(touch hacked)",
			"`touch hacked`", "192.0.2.1 }", "*", "-f", "--", "", " ", "mx.example", "192.0.2.1\\n",
			"192.0.2", "192.0.2.1.1", "192.0.2.256", "192.0.2.", "192.0.2.1/33", "192.0.2.1/",
			"192.0.2.1/32/32",
			"192.0.2.1/24", "0.0.0.0/0", "10.0.0.0/7", "192.0.2.1-192.0.2.9", "2001:db8::1",
		},
		"ipv6": {
			"dead:beef", "::/0", "2000::/15", "2001:db8::1/64", "2001:db8::/129", "2001:db8:::1",
			"2001::db8::1", "1:2:3:4:5:6:7", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::",
			"::ffff:192.0.2.1", "fe80::1%eth0", "192.0.2.1",
		},
	} {
		for _, network := range networks {
			wrong = append(wrong, []string{network, family, "60", "x"})
		}
	}
	for _, seconds := range []string{
		"", "-1", "60s", "1.5", "60 }", "2678401", "99999999999999999999", "010", "0x10",
		"60\nflush ruleset",
	} {
		wrong = append(wrong, []string{"192.0.2.1", "ipv4", seconds, "x"})
	}
	for _, args := range wrong {
		out, err := run(args...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 ||
			!strings.HasPrefix(out, "sendwrap-nft: ") {
			t.Errorf("%q: %v, %q; want exit status 1 and a message", args, err, out)
		}
		if _, err := os.Stat(calls); err == nil {
			t.Fatalf("%q: nft was called", args)
		}
	}
	out, err := run("192.0.2.1", "ipv4", "2678400", "$(touch hacked); -f")
	if err != nil || out != "" {
		t.Errorf("right arguments: %v, %q", err, out)
	}
	if _, err := os.Stat(calls); err != nil {
		t.Error("right arguments: nft was not called either; this test proves nothing")
	}
	if _, err := os.Stat(filepath.Join(dir, "hacked")); err == nil {
		t.Error("a shell has run an argument")
	}
}

// Without the sets sendwrap-nft fails, and says what to load.
func TestFirewallWithoutSets(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for _, seconds := range []string{"60", "0"} {
		out, err := m.run("./sendwrap-nft", "192.0.2.1/32", "ipv4", seconds, "x")
		if err == nil || !strings.Contains(out, "load nftables.conf") ||
			strings.Count(out, "\n") != 1 {
			t.Errorf("%s seconds: %v, %q; want one line that says what to load", seconds, err, out)
		}
	}
}
