package config

import (
	"testing"
	"time"

	"sendwrap/allowlist/rule"
)

func TestDurations(t *testing.T) {
	for _, tt := range []struct {
		text  string
		want  time.Duration
		print string
	}{
		{"0", 0, "0s"}, {"0s", 0, "0s"}, {"0d", 0, "0s"}, {"1ms", time.Millisecond, "1ms"},
		{"90s", 90 * time.Second, "1m30s"},
		{"1.5s", 1500 * time.Millisecond, "1.5s"}, {"60m", time.Hour, "1h"},
		{"1h30m", 90 * time.Minute, "1h30m"},
		{"24h", 24 * time.Hour, "24h"}, {"1d", 24 * time.Hour, "24h"},
		{"1d12h", 36 * time.Hour, "36h"}, {"31d", 31 * 24 * time.Hour, "31d"},
		{"1h0m10s", time.Hour + 10*time.Second, "1h0m10s"}, {"10m", 10 * time.Minute, "10m"},
		{"20h", 20 * time.Hour, "20h"},
		{"10000d", 10000 * 24 * time.Hour, "10000d"},
	} {
		got, err := ParseDuration(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", tt.text, got, err, tt.want)
		}
		if s := rule.FormatDuration(tt.want); s != tt.print {
			t.Errorf("rule.FormatDuration(%v) = %s; want %s", tt.want, s, tt.print)
		}
	}
	_, err := ParseDuration("5")
	if err == nil || err.Error() != `no unit in "5"; write 5s` {
		t.Errorf("ParseDuration(5): %v", err)
	}
}
