package main

import "testing"

func TestAddPostfix(t *testing.T) {
	const format = "%s:x:%d:\n"
	for _, tt := range []struct{ text, want string }{
		{"root:x:0:\n", "root:x:0:\npostfix:x:64001:\npostdrop:x:64002:\n"},
		{"root:x:0:\npostfix:x:9:\n", "root:x:0:\npostfix:x:9:\npostdrop:x:64002:\n"},
		{"postfix:x:9:\npostdrop:x:8:\n", "postfix:x:9:\npostdrop:x:8:\n"},
		{"notpostfix:x:9:\n", "notpostfix:x:9:\npostfix:x:64001:\npostdrop:x:64002:\n"},
	} {
		if got := addPostfix(tt.text, format, postfixUser, postfixGroup); got != tt.want {
			t.Errorf("%q becomes %q; want %q", tt.text, got, tt.want)
		}
	}
}
