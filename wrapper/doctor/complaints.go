package doctor

// complaint is a fault that the doctor knows.
type complaint struct {
	key      string
	severity Severity
	quick    bool   // check looks for it, too
	then     string // what follows from it
	look     func(s *Site) []Finding
}

// complaints are all of them. sendwrap(8) has the same table.
func complaints() []complaint {
	return []complaint{
		{"mta", Loses, false, "clients read 421, and their mail goes back after days", mtaFault},
		{"submit_cf", Loses, true, "mail is relayed to this machine itself, round and round",
			submitFile},
		{"pipeconnect", Refuses, true, "honest Exims speak before the greeting and get 421 or 554",
			offers},
		{"greet_pause", Note, true, "clients wait a second time", greetPause},
		{"postfix_port", Loses, true, "which of the two gets port 25 is a matter of luck, and " +
			"Postfix ends without it", postfixPort},

		{"port_25", Note, true, "sendwrap sees none of its clients", otherOnPort},
		{"unserved", Loses, false, "mail waits at its senders, and goes back after days", unserved},
		{"submission", Refuses, true, "mail programs have to wait, and those that speak first " +
			"are refused", submission},

		{"off", Loses, true, "it starts nothing", switchedOff},
		{"smtp_line", Loses, true, "sendmail's package switches this line off at sendmailconfig " +
			"and at upgrades", smtpLine},
		{"at_boot", Loses, true, "after a reboot nobody has the port", atBoot},
		{"program", Loses, true, "each client reads nothing, and comes back in vain", program},
		{"user", Refuses, true, "the MTA cannot write to mailboxes, nor sendwrap to its ledger",
			user},
		{"starts", Refuses, true, "a flood, or one client, shuts the port for all", starts},
		{"connections", Refuses, true, "clients beyond that get no reply, where sendwrap would " +
			"say 421", connections},
		{"per_source", Refuses, true, "the client gets no reply, where sendwrap would say 421",
			perSource},
		{"tasks", Refuses, false, "clients beyond that get no reply, where sendwrap would say 421",
			tasks},
		{"address_space", Loses, true, "sendwrap cannot start: Go reserves 800 MB of addresses, " +
			"and does not use them", addressSpace},
		{"kill_mode", Loses, true, "deliveries that go on in the background are killed", killMode},
		{"ready", Loses, true, "systemd waits for a word from each session, and ends it after 90 s",
			ready},
		{"stderr", Note, true, "the last words of a dying program reach the client", stderr},
		{"lookups", Note, true, "clients wait up to 26 s before sendwrap starts", lookups},
		{"descriptors", Refuses, false, "clients beyond that read 421", descriptors},

		{"ledger_size", Refuses, true, "clients beyond that read 421", ledgerSize},
		{"ledger", Note, false, "there are no limits, no memory and no blocks", ledgerFault},
		{"disk", Note, false, "no new ledger and no policy can be written", disk},
		{"boot_id", Note, false, "after a jump of the clock live sessions are forgotten", bootID},
		{"time_namespace", Note, false, "it moves the ledger's clock for all", timeNamespace},

		{"guard_dead", Note, false, "no recipients are watched", guardDead},
		{"guard_missing", Refuses, false, "all mail is refused until one does", guardMissing},
		{"guard_required", Note, false, "whenever no guard answers, all mail is refused",
			guardRequired},
		{"guard_unnamed", Note, false, "it sees no session", guardUnnamed},
		{"guard_unreachable", Note, false, "its sessions are not watched", guardUnreachable},

		{"sharing", Note, false, "blocks and known clients do not travel", notShared},

		{"list", Note, false, "it does not count, and is set aside", lists},
		{"resolver", Note, false, "its answers are missing", resolvers},
		{"public_resolver", Note, false, "many lists refuse to answer those", publicResolver},

		{"on_block", Note, false, "blocks hold at the door only", hook},
		{"firewall", Note, false, "blocks hold at the door only", firewallSets},
		{"syslog", Note, false, "lines of the log are lost", syslogd},

		{"hostname", Note, true, "other postmasters cannot tell who refused their mail", hostname},
		{"loopback", Refuses, true, "this machine's own mail has to wait, and a program that " +
			"does not is refused", loopback},
		{"own_address", Note, false, "mail that this machine sends there has to wait", ownAddress},
		{"one_client", Refuses, false, "a limit or a block of that address shuts out everybody",
			oneClient},
	}
}
