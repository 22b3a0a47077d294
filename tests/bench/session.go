package main

import (
	"strings"
	"time"

	"sendwrap/tests/lab"
)

// sessionTarget is what a whole session through sendwrap may take: so many times a session with
// sendmail alone, which waits for the client's delayed acknowledgement, since it writes its answer
// to EHLO in pieces.
const sessionTarget = 0.4

// measureSession measures a session with a real sendmail, through sendwrap without a greet delay
// and without sendwrap, under the same super-server.
func measureSession(l *bench) {
	if why := lackOfSendmail(); why != "" {
		l.put(row{What: "session with sendmail -bs", Skipped: why})
		return
	}
	site := l.sendmailSite("sendmail", "")
	bare := peer{name: bareSendmail, argv: bs(site)}
	i := l.instance("session", "mta "+strings.Join(bare.argv, " "), "greet_delay 0s")
	few := l.fewer(5)
	got := must(takeTurns(few, []peer{i.peer(""), bare}, func(p peer) ([]sessionTimes, error) {
		return reaching(p, "PASS", few.conns, func() (took []sessionTimes, err error) {
			for n := 0; n < few.conns && err == nil; n++ {
				var t sessionTimes
				t, err = l.session(p)
				took = append(took, t)
			}
			return took, err
		})
	}))
	part := func(of func(sessionTimes) time.Duration) series {
		return got.reduce(func(all []sessionTimes) float64 {
			var each []float64
			for _, t := range all {
				each = append(each, ms(of(t)))
			}
			return median(each)
		})
	}
	greeting := part(func(t sessionTimes) time.Duration { return t.greeting })
	ehlo := part(func(t sessionTimes) time.Duration { return t.ehlo })
	whole := part(func(t sessionTimes) time.Duration { return t.whole })
	const what = "session with sendmail -bs: "
	l.put(greeting.row(what+"connect to greeting", "ms").against(greeting, bareSendmail),
		ehlo.row(what+"EHLO to its answer", "ms").against(ehlo, bareSendmail),
		whole.row(what+"EHLO, MAIL, QUIT", "ms").atMost(whole, bareSendmail, sessionTarget))
}

// sessionTimes are how long the parts of a session took.
type sessionTimes struct{ greeting, ehlo, whole time.Duration }

// session lets a client speak with p as mail servers do, until the end of the connection.
func (l *bench) session(p peer) (t sessionTimes, err error) {
	v, err := l.arrive(p, l.client(), "")
	if err != nil {
		return t, err
	}
	defer v.client.close()
	err = v.client.converse(turn{"", "220 " + lab.HostName + " ESMTP Sendmail"})
	if err != nil {
		return t, err
	}
	t.greeting = time.Since(v.began)
	err = v.client.converse(turn{"EHLO client.example", "250-" + lab.HostName})
	if err != nil {
		return t, err
	}
	t.ehlo = time.Since(v.began) - t.greeting
	err = v.client.converse(
		turn{"MAIL FROM:<sender@client.example>", "250 2.1.0 "}, turn{"QUIT", "221 2.0.0 "})
	if err == nil {
		_, err = v.client.rest()
	}
	t.whole = time.Since(v.began)
	if err == nil {
		_, err = v.child.wait()
	}
	return t, err
}
