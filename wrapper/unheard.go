package wrapper

// warnUnheard logs that no server of DNS has answered any of these questions.
func (d *Door) warnUnheard(all []*inquiry) {
	for _, i := range all {
		if !i.lookup.Unheard() {
			continue
		}
		servers := ""
		if r := d.asker.resolver; r != nil {
			for _, addr := range r.Servers() {
				servers += " " + addr.String()
			}
		}
		what, see := "DNS does not answer:",
			"see whether the resolver runs, and whether it reaches the Internet"
		if i.lookup.Fails() {
			what, see = "DNS answers only with failures:",
				"see whether the resolver reaches the Internet, and whether the lists still exist"
		}
		d.WarnAgain([]string{what + servers + "; lists and names do not count meanwhile; " + see})
		return
	}
}
