package guard

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sendwrap/wrapper/milter"
)

const (
	// packetTime bounds the time that a packet takes once it has begun, in either direction.
	packetTime = 10 * time.Second

	// idleTime bounds the time between two packets. No MTA waits longer for a command than
	// sendmail, an hour (Timeout.command).
	idleTime = 2 * time.Hour
)

// wanted is what the guard asks of an MTA: no headers, no body, no wait for an answer that is
// always Continue, but recipients that it has rejected.
const wanted = milter.NoBody | milter.NoHeaders | milter.NoEOH | milter.NoUnknown | milter.NoData |
	milter.RcptRej | milter.NoHeloReply

// needed is the part without which the guard sees no bad recipient.
const needed = milter.RcptRej

// wantedMacros asks for macros by name, so that no MTA has to be configured for it.
func wantedMacros() string {
	return milter.WantMacros(milter.StageConnect,
		macroRelay, macroAddress, macroVersion, macroDaemon) +
		milter.WantMacros(milter.StageMail, macroQueue, macroAuth, macroTLS) +
		milter.WantMacros(milter.StageRcpt, macroQueue, macroMailer, macroStatus, macroReason)
}

// await waits for packets and answers them. Then a new goroutine waits for the next ones: the stack
// of this one would stay as large as the answer has made it.
func (s *session) await() {
	idle := s.guard.idleTime
	if !s.negotiated {
		idle = s.guard.packetTime
	}
	err := s.wire.Await(idle)
	for err == nil && s.wire.Buffered() > 0 {
		err = s.handlePacket()
	}
	if err != nil {
		s.guard.closeSession(s, err)
		return
	}
	go s.await()
}

// handlePacket reads one packet and answers it. io.EOF is the end of the session.
func (s *session) handlePacket() (err error) {
	defer func() {
		if p := recover(); p != nil { // it must not end the other sessions
			err = panicked(p)
		}
	}()
	command, data, err := s.wire.Next()
	if err != nil {
		return err
	}
	if !s.negotiated && command != milter.Negotiate {
		return milter.ErrProtocol
	}
	answer, err := s.handle(command, data)
	if err != nil || answer == milter.None {
		return err
	}
	return s.wire.Send(string(answer))
}

// handle carries out a command, and returns the answer.
func (s *session) handle(command byte, data []byte) (milter.Answer, error) {
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
	// From an MTA that sends these in any case.
	case milter.Data, milter.Header, milter.EndOfHeaders, milter.Body, milter.Unknown:
		return milter.Continue, nil
	case milter.Quit:
		return milter.None, io.EOF
	}
	return milter.None, fmt.Errorf("%w: command %d", milter.ErrProtocol, command)
}

// negotiate asks for what is wanted of what the MTA offers. An MTA ends a session that asks for
// more.
func (s *session) negotiate(data []byte) (milter.Answer, error) {
	offer, err := milter.ReadOffer(data)
	if err != nil {
		return milter.None, err
	}
	if offer.Protocol&needed != needed {
		s.guard.remarks.note("an MTA does not report recipients that it has rejected " +
			"(SMFIP_RCPT_REJ); sendmail 8.14 and Postfix 2.6 do")
	}
	s.negotiated, s.noHeloReply = true, offer.Protocol&milter.NoHeloReply != 0
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
