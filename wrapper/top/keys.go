package top

import (
	"unicode"

	"github.com/gdamore/tcell/v2"
)

const longestFilter = 64

// onKey reports true if the screen is to end.
func (u *screen) onKey(e *tcell.EventKey) (ends bool) {
	u.message = ""
	switch {
	case e.Key() == tcell.KeyCtrlC:
		return true
	case u.asked != nil:
		u.answer(e.Rune())
	case u.typing:
		u.typeFilter(e)
	case u.help:
		u.help = false
	case e.Key() == tcell.KeyRune:
		return u.onLetter(e.Rune())
	default:
		u.move(e.Key())
	}
	return false
}

func (u *screen) onLetter(r rune) (ends bool) {
	switch r {
	case 'q':
		return true
	case '1', '2', '3', '4':
		u.choose(int(r - '1'))
	case 'j':
		u.cursor++
	case 'k':
		u.cursor--
	case 's':
		u.sorted[u.first] = (u.sorted[u.first] + 1) % len(u.picture.tables[u.first].columns)
	case 'r':
		u.turned[u.first] = !u.turned[u.first]
	case '/':
		u.typing = true
		u.askForFilter()
	case 'b':
		u.ask("block")
	case 'u':
		u.ask("unblock")
	case 'p':
		u.paused = !u.paused
		u.history.forget()
		u.look()
	case '?':
		u.help = true
	}
	return false
}

func (u *screen) choose(table int) { u.first, u.cursor = table%numTables, 0 }

func (u *screen) move(k tcell.Key) {
	const pageful = 10
	switch k {
	case tcell.KeyUp:
		u.cursor--
	case tcell.KeyDown:
		u.cursor++
	case tcell.KeyPgUp:
		u.cursor -= pageful
	case tcell.KeyPgDn:
		u.cursor += pageful
	case tcell.KeyHome:
		u.cursor = 0
	case tcell.KeyTab:
		u.choose(u.first + 1)
	case tcell.KeyEscape:
		u.setFilter("")
	}
}

// ask asks whether to do that to the network of the chosen line.
func (u *screen) ask(command string) {
	rows := u.picture.tables[u.first].rows
	if u.acting || u.cursor < 0 || u.cursor >= len(rows) {
		return
	}
	network := rows[u.cursor].network.String()
	u.asked = []string{command, "-f", u.site.File, network}
	u.footer = command + " " + network + "? y for yes, any other key for no"
}

// answer carries out what was asked for if the answer is y.
func (u *screen) answer(r rune) {
	args := u.asked
	u.asked, u.footer = nil, ""
	if r != 'y' {
		u.message = "nothing done"
		return
	}
	u.acting, u.message = true, args[0]+" "+args[len(args)-1]+" ..."
	go func() { u.done <- u.act(args...) }()
}

// typeFilter takes in a key while the filter is written. Each holds at once.
func (u *screen) typeFilter(e *tcell.EventKey) {
	switch e.Key() {
	case tcell.KeyEnter:
		u.typing, u.footer = false, ""
		return
	case tcell.KeyEscape:
		u.typing, u.footer = false, ""
		u.setFilter("")
		return
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		if letters := []rune(u.filter); len(letters) > 0 {
			u.setFilter(string(letters[:len(letters)-1]))
		}
	case tcell.KeyRune:
		if unicode.IsPrint(e.Rune()) && len(u.filter) < longestFilter {
			u.setFilter(u.filter + string(e.Rune()))
		}
	}
	u.askForFilter()
}

func (u *screen) setFilter(filter string) {
	u.filter = filter
	u.look()
}

func (u *screen) askForFilter() {
	u.footer = "only networks with: " + u.filter + "_  (Enter: keep, Escape: all)"
}
