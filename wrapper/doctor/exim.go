package doctor

import (
	"fmt"

	"sendwrap/wrapper/surroundings"
)

// offers says what to set in the MTA if it is an Exim that offers PIPECONNECT, or may. An Exim that
// does not know the option offers nothing.
func offers(s *Site) []Finding {
	mta := s.Config.MTA
	if s.Machine.MTA(mta[0]).Kind != surroundings.Exim {
		return nil
	}
	const write = "write " + surroundings.Pipeconnect + " = : into its main configuration, and " +
		"for a week " + surroundings.NoSync
	options, err := surroundings.AskExim(mta, surroundings.Pipeconnect)
	if err != nil {
		return one(s.at("mta"), fmt.Sprintf("this Exim does not say whether it offers "+
			"PIPECONNECT (%v)", err), write)
	} else if surroundings.Offers(options[surroundings.Pipeconnect]) {
		return one(s.at("mta"), "this Exim offers PIPECONNECT", write)
	}
	return nil
}
