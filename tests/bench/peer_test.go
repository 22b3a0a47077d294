package main

import "testing"

func TestSaidRight(t *testing.T) {
	for _, tt := range []struct {
		says, then, said string
		want             bool
	}{
		{"", "", "", true},
		{"", "", "421 x", false},
		{"554 ", "", "", false},
		{"554 ", "", "554 x\r\n", true},
		{"554 ", "", "421 x\r\n", false},
		{"220-x\r\n", "521 ", "220-x\r\n", true},
		{"220-x\r\n", "521 ", "220-x\r\n521 y\r\n", true},
		{"220-x\r\n", "521 ", "220-x\r\n220 y\r\n", false},
		{"220-x\r\n", "521 ", "521 y\r\n", false},
	} {
		if got := (peer{says: tt.says, then: tt.then}).saidRight(tt.said); got != tt.want {
			t.Errorf("says %q, then %q: %q is right: %v; want %v", tt.says, tt.then, tt.said, got,
				tt.want)
		}
	}
}
