package resolve

import "golang.org/x/net/dns/dnsmessage"

// pack is a question as a message, after room for its length. An error says that the name is none.
//
// The message says by EDNS (RFC 6891) how large an answer may be.
func pack(id uint16, q Question) ([]byte, error) {
	name, err := dnsmessage.NewName(q.Name + ".")
	if err != nil {
		return nil, err
	}
	var edns dnsmessage.ResourceHeader
	if err := edns.SetEDNS0(maxDatagram, dnsmessage.RCodeSuccess, false); err != nil {
		return nil, err
	}
	const fixed = lengthSize + 12 + 4 + 11 // header, type and class, EDNS
	room := make([]byte, lengthSize, fixed+len(q.Name)+2)
	b := dnsmessage.NewBuilder(room, dnsmessage.Header{ID: id, RecursionDesired: true})
	for _, err := range []error{
		b.StartQuestions(),
		b.Question(dnsmessage.Question{
			Name: name, Type: dnsmessage.Type(q.Type), Class: dnsmessage.ClassINET,
		}),
		b.StartAdditionals(),
		b.OPTResource(edns, dnsmessage.OPTResource{}),
	} {
		if err != nil {
			return nil, err
		}
	}
	return b.Finish()
}
