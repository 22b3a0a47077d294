package main

import "testing"

func TestReplyEnd(t *testing.T) {
	for _, tt := range []struct {
		text string
		want int
	}{
		{"", 0},
		{"220 x", 0},
		{"220 x\r\n", 7},
		{"220 x\r\n250 y\r\n", 7},
		{"250-x\r\n", 0},
		{"250-x\r\n250 y", 0},
		{"250-x\r\n250 y\r\n2", 14},
		{"221\r\n", 5},
	} {
		if got := replyEnd([]byte(tt.text)); got != tt.want {
			t.Errorf("%q: %d; want %d", tt.text, got, tt.want)
		}
	}
}
