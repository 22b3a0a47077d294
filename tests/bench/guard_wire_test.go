package main

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAskedFor(t *testing.T) {
	stage := func(n uint32, names string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, n), words(names)...)
	}
	list := append(append(stage(0, "_ {client_addr}"), stage(3, "i, {rcpt_mailer}")...), stage(5, "")...)
	got, err := askedFor(list)
	want := map[byte][]string{milterConnect: {"_", "{client_addr}"}, milterRcpt: {"i", "{rcpt_mailer}"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, list := range [][]byte{
		{0},
		{0, 0, 0},
		{0, 0, 0, 0},
		list[:len(list)-1],
		stage(4, "i"), // DATA, about which nobody is asked
		stage(1<<31, "i"),
	} {
		if got, err := askedFor(list); err == nil {
			t.Errorf("%q: %v; want an error", list, got)
		}
	}
}

// A milter of the test's sees just what sendmail would send: the macros that it has asked for before each command, and no answer to HELO wanted.
func TestMilterClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if up, err := listeningAt(path); up || err != nil {
		t.Errorf("%s: listening: %v, %v, before it is there", path, up, err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	if up, err := listeningAt(path); up || err != nil {
		t.Errorf("%s: listening: %v, %v, before it does", path, up, err)
	}
	unix.Close(fd)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if up, err := listeningAt(path); !up || err != nil {
		t.Errorf("%s: listening: %v, %v; want true", path, up, err)
	}
	seen := make(chan []string, 1)
	protocol := uint32(onlyEnvelope | noHeloReply)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		m := milterClient{conn: c}
		var all []string
		for {
			letter, data, err := m.reply() // both ends read packets alike
			if err != nil {
				seen <- all
				return
			}
			all = append(all, string(letter)+string(bytes.ReplaceAll(data, []byte{0}, []byte("|"))))
			switch letter {
			case milterOptions:
				answer := binary.BigEndian.AppendUint32(nil, milterVersion)
				answer = binary.BigEndian.AppendUint32(answer, 0)
				answer = binary.BigEndian.AppendUint32(answer, protocol)
				answer = append(answer, 0, 0, 0, 0)
				answer = append(answer, words("{client_addr}")...)
				answer = append(answer, 0, 0, 0, 3)
				answer = append(answer, words("{auth_authen} {rcpt_mailer}")...)
				_, _ = c.Write(packet(milterOptions, answer))
			case milterMacros, milterHelo:
			default:
				_, _ = c.Write(packet(milterContinue, nil))
			}
		}
	}()
	from := netip.MustParseAddrPort("192.0.2.1:16705") // AA
	m, err := dialMilter(path, from)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.deliver(from); err != nil {
		t.Error(err)
	}
	m.close()
	want := []string{
		"DC{client_addr}|192.0.2.1|", "Cclient.example|4AA192.0.2.1|",
		"DH", "Hclient.example|",
		"DM", "M<sender@client.example>|",
		"DR{rcpt_mailer}|local|", "R<root@mx.test>|",
		"DE", "E",
	}
	got := <-seen
	if len(got) == 0 || !strings.HasPrefix(got[0], "O") || !reflect.DeepEqual(got[1:], want) {
		t.Errorf("the milter saw %q; want an offer and %q", got, want)
	}
}

// An answer that stops a session is not one of an honest client's.
func TestMilterRefuses(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		defer theirs.Close()
		m := milterClient{conn: theirs}
		for {
			letter, _, err := m.reply()
			if err != nil {
				return
			}
			if letter != milterMacros {
				_, _ = theirs.Write(packet('y', words("421 4.7.0 no")))
			}
		}
	}()
	m := milterClient{conn: ours}
	if err := m.say(milterMail, words("<x@y>")); err == nil || !strings.Contains(err.Error(), "421") {
		t.Errorf("%v; want an error with what the milter said", err)
	}
}
