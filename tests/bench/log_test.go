package main

import (
	"maps"
	"testing"
)

func TestLogReaderCount(t *testing.T) {
	r := &logReader{lines: make(map[string]int)}
	for _, line := range []string{
		"<22>sendwrap[4243]: PREGREET client=[192.0.2.9]:51544 data=\"x]: y\"",
		"<22>Jan  2 15:04:05 postfix/postscreen[112]: PREGREET 8 after 0 from [192.0.2.9]:59507: " +
			"EHLO x",
		"<22>Jan  2 15:04:05 postfix/postscreen[112]: DISCONNECT [192.0.2.9]:59507",
		"<30>Jan  2 15:04:05 xinetd[7]: FAIL: room per_source_limit from=192.0.2.9",
		"<30>Jan  2 15:04:05 tcpd: refused]: ",
		"nothing",
	} {
		r.count([]byte(line))
	}
	want := map[string]int{"PREGREET": 1, "postscreen PREGREET": 1, "postscreen DISCONNECT": 1,
		"xinetd FAIL:": 1}
	if !maps.Equal(r.lines, want) {
		t.Errorf("counts %v; want %v", r.lines, want)
	}
}
