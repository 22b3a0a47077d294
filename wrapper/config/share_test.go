package config

import (
	"strings"
	"testing"
)

func TestShareSettings(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"share_engine off", "share_engine off"},
		{"share_engine valkey://engine.example.org", "share_engine valkey://engine.example.org:6379"},
		{"share_engine redis://192.0.2.1:6380/3 password=/etc/sendwrap.password",
			"share_engine valkey://192.0.2.1:6380/3 password=/etc/sendwrap.password"},
		{"share_engine REDISS://[2001:db8::1]:6380 user=mx password=/p ca=/ca.pem",
			"share_engine valkeys://[2001:db8::1]:6380 user=mx password=/p ca=/ca.pem"},
		{"share_engine valkey://2001:db8::1", "write [2001:db8::1]"},
		{"share_engine unix:///run/valkey.sock", "share_engine unix:///run/valkey.sock"},
		{"share_engine valkey://a:26379 valkey://b:26379 master=mx",
			"share_engine valkey://a:26379 valkey://b:26379 master=mx"},

		{"share_engine engine.example.org", "write valkey://engine.example.org"},
		{"share_engine engine.example.org:6379", "write valkey://engine.example.org:6379"},
		{"share_engine redis:6379", "write valkey://redis:6379"},
		{"share_engine rediss:/engine", "write rediss://engine"},
		{"share_engine /run/valkey.sock", "write unix:///run/valkey.sock"},
		{"share_engine unix:/run/valkey.sock", "write unix:///run/valkey.sock"},
		{"share_engine unix://valkey.sock", "write its full path"},
		{"share_engine none", "write off"},
		{"share_engine http://engine", "write valkey://, valkeys:// for TLS, or unix://"},
		{"share_engine memcache://engine", "write valkey://"},
		{"share_engine valkey://", "no host"},
		{"share_engine valkey:///0", "no host"},
		{"share_engine valkey://:6379", "no host"},
		{"share_engine valkey://engine:port", "wrong port"},
		{"share_engine valkey://engine:0", "wrong port"},
		{"share_engine valkey://engine:65536", "wrong port"},
		{"share_engine valkey://engine/db", "number of the database"},
		{"share_engine valkey://engine/-1", "number of the database"},
		{"share_engine valkey://user:secret@engine", "write user=NAME and password=FILE behind it"},
		{"share_engine valkey://engine?db=1", "options in a URL"},
		{"share_engine valkey://en_gine!", "is no host"},
		{"share_engine valkey://a valkey://a:6379", "given twice"},
		{"share_engine valkey://a valkeys://b", "some engines with TLS"},
		{"share_engine valkey://a/1 valkey://b/1", "a Cluster has no numbers"},
		{"share_engine valkey://a unix:///s", "a unix socket among several"},
		{"share_engine valkey://a ca=/ca.pem", "ca= without TLS"},
		{"share_engine valkey://a user=mx", "user= without a password"},
		{"share_engine valkey://a password=p", "write its full path"},
		{"share_engine valkey://a passw=/p", "password"},
		{"share_engine password=/p", "no engine"},
		{"share_engine valkey://a master=", "write master=NAME"},

		{"share_name mx1.example.org", "share_name mx1.example.org"},
		{"share_name mx/1", "is no name"},
		{"share_name " + strings.Repeat("x", 33), "too long"},
		{"share_prefix mail-2", "share_prefix mail-2"},
		{"share_prefix a:b", "is no name"},
		{"share known blocks", "share blocks known"},
		{"share block", "write blocks"},
		{"share off", "share_engine off"},
		{"share blocks blocks", "given twice"},
		{"share_from mx1 mx2", "share_from mx1 mx2"},
		{"share_from mx1 mx1", "given twice"},
		{"share_from mx1,mx2", "is no name"},
		{"share_limit 10/1s", "share_limit 10/1s"},
		{"share_limit 10", "write N/DUR"},
		{"share_limit 0", "write a large one"},
		{"share_limit 1/2d", "out of range"},
	} {
		name, _, _ := strings.Cut(tt.line, " ")
		c, errs := load(t, tt.line)
		var text strings.Builder
		if err := c.Write(&text); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(tt.want, name+" ") && errs == nil {
			if !strings.Contains("\n"+text.String(), "\n"+tt.want+"\n") {
				t.Errorf("%s: is printed as\n%s", tt.line, text.String())
			}
			continue
		}
		if errs == nil || !strings.Contains(strings.Join(errs, "\n"), tt.want) {
			t.Errorf("%s: %q; want %q", tt.line, errs, tt.want)
		}
	}
}
