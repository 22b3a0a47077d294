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
		d.WarnAgain([]string{"DNS does not answer:" + servers +
			"; lists and names do not count meanwhile; see whether the resolver runs, " +
			"and whether it reaches the Internet"})
		return
	}
}
