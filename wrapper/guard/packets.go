package guard

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sendwrap/wrapper/milter"
)

const (
	// packetTime bounds the time that a packet takes, once it has begun, either way.
	packetTime = 10 * time.Second

	// idleTime bounds the time between two packets: sendmail waits an hour for a command
	// (Timeout.command), no MTA longer.
	idleTime = 2 * time.Hour
)

// wanted is what we ask of an MTA: neither headers nor body, an answer only where we have one, and
// to be told of recipients that it has rejected.
const wanted = milter.NoBody | milter.NoHeaders | milter.NoEOH | milter.NoUnknown | milter.NoData |
	milter.RcptRej | milter.NoHeloReply

// needed is the part without which the guard sees no guess.
const needed = milter.RcptRej

// wantedMacros are asked for by name, so that no MTA has to be configured for us.
func wantedMacros() string {
	return milter.WantMacros(milter.StageConnect,
		macroRelay, macroAddress, macroVersion, macroDaemon) +
		milter.WantMacros(milter.StageMail, macroQueue, macroAuth, macroTLS) +
		milter.WantMacros(milter.StageRcpt, macroQueue, macroMailer, macroStatus, macroReason)
}

// await waits for what the MTA says, and answers it. Then another goroutine waits for what follows:
// the stack of this one would stay as large as the answer has made it.
func (s *session) await() {
	idle := s.guard.idleTime
	if !s.agreed {
		idle = s.guard.packetTime
	}
	err := s.wire.Await(idle)
	for err == nil && s.wire.Buffered() > 0 {
		err = s.turn()
	}
	if err != nil {
		s.guard.leave(s, err)
		return
	}
	go s.await()
}

// turn is one packet of the MTA's, and the answer. io.EOF is the end of the session.
func (s *session) turn() (err error) {
	defer func() {
		if p := recover(); p != nil { // the other sessions have nothing to do with it
			err = panicked(p)
		}
	}()
	command, data, err := s.wire.Next()
	if err != nil {
		return err
	}
	if !s.agreed && command != milter.Negotiate {
		return milter.ErrProtocol
	}
	answer, err := s.take(command, data)
	if err != nil || answer == milter.None {
		return err
	}
	return s.wire.Send(string(answer))
}

// take does what a command asks for, and returns what it is answered.
func (s *session) take(command byte, data []byte) (milter.Answer, error) {
	macros := s.macros.For(command)
	s.macros = ""
	switch command {
	case milter.Negotiate:
		return s.negotiate(data)
	case milter.MacrosFor:
		if len(data) == 0 {
			return milter.None, fmt.Errorf("%w: macros for no command", milter.ErrProtocol)
		}
		s.macros = milter.Macros(data)
		return milter.None, nil
	case milter.Connect:
		return s.connect(data, macros)
	case milter.Helo:
		return s.hello(milter.Text(data)), nil
	case milter.Mail:
		return s.mail(strings.Trim(milter.Text(data), "<>"), macros), nil
	case milter.Rcpt:
		return s.rcpt(strings.Trim(milter.Text(data), "<>"), macros), nil
	case milter.EndOfMessage:
		return s.end(), nil
	case milter.Abort:
		s.abort()
		return milter.None, nil
	// From an MTA that must tell us. A word of the client's that is no command is nothing new.
	case milter.Data, milter.Header, milter.EndOfHeaders, milter.Body, milter.Unknown:
		return goOn, nil
	case milter.Quit:
		return milter.None, io.EOF
	}
	return milter.None, fmt.Errorf("%w: command %d", milter.ErrProtocol, command)
}

// negotiate asks for what we want of what the MTA offers: what is asked for beyond that ends a
// session.
func (s *session) negotiate(data []byte) (milter.Answer, error) {
	offer, err := milter.ReadOffer(data)
	if err != nil {
		return milter.None, err
	}
	if offer.Protocol&needed != needed {
		s.guard.remarks.note("an MTA does not tell of recipients that it has rejected " +
			"(SMFIP_RCPT_REJ); sendmail 8.14 and Postfix 2.6 do")
	}
	s.agreed, s.noReply = true, offer.Protocol&milter.NoHeloReply != 0
	agreed := milter.Offer{
		Version:  min(offer.Version, milter.Version),
		Actions:  offer.Actions & milter.SetMacros,
		Protocol: offer.Protocol & wanted,
	}.Packet()
	if offer.Actions&milter.SetMacros != 0 {
		agreed += s.guard.macros
	}
	return milter.Answer(agreed), nil
}
