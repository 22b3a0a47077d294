package policy

import (
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
)

// What a policy cannot hold. These bounds are wider than those of the directives: they keep a file
// that lies from doing more harm than a wrong configuration.
const (
	mostCount = 1 << 30
	mostBytes = 1 << 40
	mostTime  = 366 * 24 * time.Hour
	mostDelay = 300 * time.Second // for a client's first line (RFC 5321 §4.5.3.2.1)
	mostLoad  = 1 << 20
)

// fields codes all settings. A new field of Settings has a line here, and makes a new Version.
func (s *Settings) fields(c *coder) {
	c.strings(&s.MTA)
	number(c, &s.MTAStderr, int64(len(mtaStderrs)-1))
	duration(c, &s.GreetDelay, mostDelay)
	duration(c, &s.StressDelay, mostDelay)
	c.string(&s.Teaser)
	number(c, &s.OnPregreet, int64(len(actions)-1))
	number(c, &s.OnDenied, int64(len(denials)-1))
	rate(c, &s.ClientRate)
	number(c, &s.ClientConns, mostCount)
	number(c, &s.MaxSessions, mostCount)
	number(c, &s.Reserve, 100)
	duration(c, &s.MaxIdle, mostTime)
	number(c, &s.MaxWaiting, mostCount)
	number(c, &s.RoomWaiting, mostCount)
	number(c, &s.SpawnRate, mostCount)
	duration(c, &s.RoomIdle, mostTime)
	c.float(&s.RefuseLoad, mostLoad)
	number(c, &s.CountBy.V4, 32)
	number(c, &s.CountBy.V6, 128)
	s.wideFields(c)
	c.prefixes(&s.NAT64)
	duration(c, &s.Remember, mostTime)
	rate(c, &s.Hangups)
	s.Block.fields(c)
	for k := range s.KindStrikes {
		number(c, &s.KindStrikes[k], mostCount)
	}
	c.strings(&s.OnBlock)
	number(c, &s.Mode, int64(len(modes)-1))
	number(c, &s.Observed, mostObserved)
	c.string(&s.Hostname)
	c.string(&s.Contact)
	c.string(&s.Ledger.Path)
	number(c, &s.Ledger.Clients, mostCount)
	number(c, &s.Log, int64(len(logTargets)-1))
	c.string(&s.AccessMap)
	number(c, &s.RememberAfter, int64(len(knowings)-1))
	s.listFields(c)
	s.guardFields(c)
	if len(s.MTA) == 0 {
		c.failed = true
	}
}

func (b *Block) fields(c *coder) {
	number(c, &b.Strikes, mostCount)
	duration(c, &b.Within, mostTime)
	duration(c, &b.For, mostTime)
	duration(c, &b.Max, mostTime)
	c.flag(&b.Kill)
	duration(c, &b.Grace, mostTime)
	number(c, &b.MaxEntries, mostCount)
}

func (s *Settings) wideFields(c *coder) {
	n := c.length(len(s.Wide), 9*8)
	if c.reading {
		s.Wide = nil
		if n > 0 {
			s.Wide = make([]Wide, n)
		}
	}
	for i := range s.Wide {
		w := &s.Wide[i]
		number(c, &w.V4, 32)
		number(c, &w.V6, 128)
		rate(c, &w.ClientRate)
		number(c, &w.ClientConns, mostCount)
		rate(c, &w.BadRcptsTotal)
		number(c, &w.Strikes, mostCount)
		c.flag(&w.Observed)
	}
	if len(s.Wide) > MaxWide {
		c.failed = true
	}
}

func (s *Settings) listFields(c *coder) {
	n := c.length(len(s.Lists), 4*8)
	if c.reading {
		s.Lists = nil
		if n > 0 {
			s.Lists = make([]dnsbl.List, n)
		}
	}
	for i := range s.Lists {
		listFields(c, &s.Lists[i])
	}
	number(c, &s.DNSBLThreshold, mostCount)
	welcome := -s.DNSBLWelcome
	number(c, &welcome, mostCount)
	s.DNSBLWelcome = -welcome
	duration(c, &s.DNSBLTTL.Min, mostTime)
	duration(c, &s.DNSBLTTL.Max, mostTime)
	number(c, &s.OnListed, int64(len(actions)-1))
	c.addrPorts(&s.Resolvers)
}

func listFields(c *coder, l *dnsbl.List) {
	c.string(&l.Zone)
	c.string(&l.Name)
	c.string(&l.URL)
	n := c.length(len(l.Sites), 2*8)
	if c.reading {
		l.Sites = nil
		if n > 0 {
			l.Sites = make([]dnsbl.Site, n)
		}
	}
	for i := range l.Sites {
		s := &l.Sites[i]
		c.string(&s.Filter)
		weight := s.Weight + dnsbl.MaxWeight
		number(c, &weight, 2*dnsbl.MaxWeight)
		s.Weight = weight - dnsbl.MaxWeight
	}
	if len(l.Zone) > dnsbl.MaxZone {
		c.failed = true
	}
}

func (s *Settings) guardFields(c *coder) {
	number(c, &s.BadRcpts, mostCount)
	number(c, &s.BadRcptsPercent, 100)
	rate(c, &s.BadRcptsTotal)
	number(c, &s.BadRcptsShare, 100)
	number(c, &s.MaxRcpts, mostCount)
	number(c, &s.MaxResets, mostCount)
	duration(c, &s.BadRcptDelay, mostDelay)
	c.flag(&s.GuardAuth)
	c.string(&s.GuardListen.Network)
	c.string(&s.GuardListen.Address)
	c.string(&s.GuardListen.Owner)
	c.string(&s.Transcript.Dir)
	number(c, &s.Transcript.Max, mostBytes)
}

func duration(c *coder, d *time.Duration, most time.Duration) { number(c, d, int64(most)) }

func rate(c *coder, r *rule.Rate) {
	number(c, &r.N, mostCount)
	duration(c, &r.Per, mostTime)
}

// fields codes a source.
func (s *Source) fields(c *coder) {
	c.string(&s.Path)
	c.word(&s.Dev)
	c.word(&s.Ino)
	for _, v := range []*int64{&s.Size, &s.Mtime, &s.Ctime} {
		w := uint64(*v)
		c.word(&w)
		*v = int64(w)
	}
	number(c, &s.Err, 4095)
}
