package wrapper

// We listen to no more of a refused client.
const (
	talkCommands = 20
	talkBytes    = 4096
)

// Dialogue is a dialogue with a refused client that stays for a moment. It takes the client's bytes
// and says what to answer; it knows neither sockets nor time.
//
// Of what the client says only the first word of each line counts, and nothing is kept. Nothing is
// ever accepted, so it does not matter whether a line ends in CRLF or in LF alone, or how long it
// is.
type Dialogue struct {
	talks   bool   // greets, and refuses each recipient; else the refusal is the greeting
	host    string // our name
	refusal string // the reply that refuses
	heard   int    // bytes
	asked   int    // commands
	word    [4]byte
	letters int  // of the line's first word; we know no word of more than four
	spelled bool // the word is complete
	over    bool // nothing is left to say
}

// Greeting is the first line.
func (d *Dialogue) Greeting() string {
	if d.talks {
		return "220 " + d.host + " ESMTP; mail from your network is refused here"
	}
	return d.refusal
}

// Hear takes bytes of the client and returns whole lines to answer, in the order of its commands.
// It reports whether the dialogue is over; then call it no more.
func (d *Dialogue) Hear(text []byte) (answer []byte, over bool) {
	for _, b := range text {
		if d.heard++; d.over || d.heard > talkBytes {
			break
		}
		switch {
		case b == '\n':
			answer = append(append(answer, d.answer()...), "\r\n"...)
			d.letters, d.spelled = 0, false
		case b == ' ', b == '\t', b == '\r':
			d.spelled = true
		case !d.spelled && d.letters <= len(d.word):
			if d.letters < len(d.word) {
				d.word[d.letters] = b &^ 0x20 // a letter's capital
			}
			d.letters++
		}
	}
	if d.heard > talkBytes {
		answer = append(answer, d.Goodbye()...)
		d.over = true
	}
	return answer, d.over
}

// answer is the reply to one command. RFC 5321 §3.1 asks for 503 until QUIT where 554 was the
// greeting; 421 is an answer to any command (§4.2.3).
func (d *Dialogue) answer() string {
	var word string
	if d.letters <= len(d.word) {
		word = string(d.word[:d.letters])
	}
	d.asked++
	switch {
	case word == "QUIT":
		d.over = true
		return "221 2.0.0 " + d.host + " closing connection"
	case d.asked > talkCommands:
		d.over = true
		return d.closing()
	case !d.talks && d.refusal[0] == '4':
		return d.refusal
	case !d.talks:
		return "503 5.5.1 " + d.host +
			" you are refused, as the greeting says; only QUIT is left"
	}
	switch word {
	case "EHLO":
		return "250-" + d.host + "\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"
	case "HELO":
		return "250 " + d.host
	case "MAIL", "RSET", "NOOP":
		return "250 2.0.0 ok"
	case "RCPT":
		return d.refusal
	case "DATA":
		return "554 5.5.1 no valid recipients"
	}
	return "502 5.5.1 not implemented for you"
}

// Goodbye is the last line, with its CRLF, for a client that has not said QUIT; "" for none.
func (d *Dialogue) Goodbye() string {
	if d.over || !d.talks {
		return ""
	}
	return d.closing() + "\r\n"
}

func (d *Dialogue) closing() string {
	return "421 4.7.0 " + d.host + " closing connection; mail from your network is refused here"
}
