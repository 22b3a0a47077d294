package ledger

// Which wide networks count a session: its flags and state.widths say so together.

// widths is how many wide networks the flags of a session can name.
const widths = 1 + maxWidths

// width is the n-th flag, if it is among those, and how long the network is that it names. No two
// of a session are of one length.
func (t *Tx) width(flags uint8, n int) (flag uint8, bits int) {
	if flag = inWide << n; flags&flag == 0 {
		return 0, 0
	}
	if bits = WideBits; n > 0 {
		bits = int(t.state().widths[n-1])
	}
	if bits == 0 || bits > 128 {
		return 0, 0
	}
	return flag, bits
}

// flagOf is the flag of the session's network of that length; 0 = it is not counted by one.
func (t *Tx) flagOf(s *session, length int) uint8 {
	for n := range widths {
		if flag, bits := t.width(s.flags, n); bits == length {
			return flag
		}
	}
	return 0
}

// widthFlag is the flag of sessions that are counted by networks of that length. If there is none
// yet, it takes one that no session has. 0 = there is none: the configuration has been changed
// often while sessions lasted. All other processes wait for that search: after one in vain, the
// next is in another second.
func (t *Tx) widthFlag(bits uint8) uint8 {
	st, free := t.state(), -1
	for n, b := range st.widths {
		switch {
		case b == bits:
			return firstWidth << n
		case b == 0 && free < 0:
			free = n
		}
	}
	if second := uint32(t.now / 1000); free < 0 {
		if st.fullAt == second {
			return 0
		}
		if free = t.unusedWidth(); free < 0 {
			st.fullAt = second
			return 0
		}
	}
	st.widths[free] = bits
	return firstWidth << free
}

// unusedWidth is the number of a width that counts no session, or -1.
func (t *Tx) unusedWidth() (n int) {
	var flags uint8
	for i := range t.l.liveSlots() {
		flags |= t.l.slot(i).flags
	}
	for n = maxWidths - 1; n >= 0 && flags&(firstWidth<<n) != 0; n-- {
	}
	return n
}
