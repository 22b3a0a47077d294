package policy

// Observed is a set of directives that refuse nobody, since their lines end in "observe": what each
// would have refused is logged and counted, and the next test decides. Those that keep the machine
// from too much work, such as max_sessions, cannot be in it.
type Observed uint16

// The directives, and the wide lines, the narrower one first.
const (
	OnPregreet Observed = 1 << iota
	ClientRate
	ClientConns
	DNSBLThreshold
	Blocks // those that strikes and the guard make; one by hand refuses all the same
	BadRcpts
	BadRcptsTotal
	MaxRcpts
	MaxResets
	firstWide

	mostObserved = int64(firstWide - 1)
)

// WideLine is the n-th wide line.
func WideLine(n int) Observed { return firstWide << n }

// Has says whether the directive is observed.
func (o Observed) Has(directive Observed) bool { return o&directive != 0 }

// ObservedLines are all observed directives, the wide lines among them.
func (s *Settings) ObservedLines() Observed {
	all := s.Observed
	for n := range s.Wide {
		if s.Wide[n].Observed {
			all |= WideLine(n)
		}
	}
	return all
}

// Observes says whether a client can be served that would have been refused.
func (s *Settings) Observes() bool { return s.Mode == Observe || s.ObservedLines() != 0 }

// IgnoresBlock says whether a block, made by hand or not, refuses nobody because of its line.
func (s *Settings) IgnoresBlock(byHand bool) bool { return s.Observed.Has(Blocks) && !byHand }
