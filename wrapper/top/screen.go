package top

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"time"

	"github.com/gdamore/tcell/v2"
	"golang.org/x/sys/unix"
)

// Act carries out a command of sendwrap, such as block -f FILE NETWORK, and returns what that
// printed.
type Act func(args ...string) string

// look is what came of one.
type look struct {
	picture *Picture
	pause   time.Duration
}

// screen is the terminal with what is on it.
type screen struct {
	view
	site    *Site
	act     Act
	screen  tcell.Screen
	history history
	picture *Picture
	asked   []string // the command that waits for y; nil = none
	typing  bool     // the filter

	looking bool // until looks has the result
	looks   chan look
	acting  bool // until done has it
	done    chan string
	next    *time.Timer // the next look
}

// Show draws what happens until q is pressed or the context ends. The error says why there is no
// screen.
func (s *Site) Show(until context.Context, act Act) error {
	if err := checkTerminal(); err != nil {
		return err
	}
	terminal, err := tcell.NewTerminfoScreen()
	if err == nil {
		err = terminal.Init()
	}
	if err != nil {
		return errors.New(err.Error() + "; " + instead)
	}
	defer terminal.Fini()
	u := &screen{
		view: view{ascii: isASCII()}, site: s, act: act, screen: terminal,
		picture: &Picture{Config: s.Config}, looks: make(chan look, 1), done: make(chan string, 1),
		next: time.NewTimer(0),
	}
	u.picture.fillTables()
	defer u.next.Stop()
	u.run(until)
	return nil
}

const instead = "write sendwrap top -once for one frame of text"

// checkTerminal says why the terminal is none for a screen.
func checkTerminal() error {
	if _, err := unix.IoctlGetTermios(1, unix.TCGETS); err != nil {
		return errors.New("stdout is no terminal; " + instead)
	}
	if name := os.Getenv("TERM"); name == "" || name == "dumb" {
		return errors.New("the terminal cannot move its cursor (TERM=" + name + "); " + instead)
	}
	return nil
}

// run draws again whenever something happens.
func (u *screen) run(until context.Context) {
	events, quit := make(chan tcell.Event, 16), make(chan struct{})
	defer close(quit)
	defer u.finish()
	go u.screen.ChannelEvents(events, quit)
	mode, _ := unix.IoctlGetTermios(1, unix.TCGETS)
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	for {
		select {
		case <-until.Done():
			return
		case e, ok := <-events:
			if !ok || u.onEvent(e) {
				return
			}
		case <-continued: // meanwhile a shell had the terminal, in a mode of its own
			_ = unix.IoctlSetTermios(1, unix.TCSETS, mode)
			u.screen.Sync()
		case <-u.next.C:
			u.look()
			continue // what it finds is drawn
		case l := <-u.looks:
			u.onLook(l)
		case u.message = <-u.done:
			u.acting = false
			u.look()
		}
		u.draw()
	}
}

// finish waits for the look and the command that are under way.
func (u *screen) finish() {
	if u.looking {
		<-u.looks
	}
	if u.acting {
		<-u.done
	}
}

// look begins a look, unless one is under way or looks are paused.
func (u *screen) look() {
	if u.looking || u.paused {
		return
	}
	u.looking = true
	go func(filter string) {
		p, pause := u.site.look(filter)
		u.looks <- look{p, pause}
	}(u.filter)
}

func (u *screen) onLook(l look) {
	u.looking = false
	u.next.Reset(l.pause)
	if u.paused {
		return
	}
	u.picture = l.picture
	if l.picture.usable {
		u.history.add(l.picture)
	} else {
		u.history.forget()
	}
	if l.picture.filter != u.filter {
		u.look()
	}
}

// onEvent reports true if the screen is to end.
func (u *screen) onEvent(e tcell.Event) (ends bool) {
	switch e := e.(type) {
	case *tcell.EventResize:
		u.screen.Sync()
	case *tcell.EventKey:
		return u.onKey(e)
	case *tcell.EventError: // no key will come any more
		return true
	}
	return false
}

func (u *screen) draw() {
	width, height := u.screen.Size()
	u.screen.Clear()
	rows := len(u.picture.tables[u.first].rows)
	u.cursor = max(0, min(u.cursor, rows-1))
	for y, l := range u.picture.frame(&u.history, &u.view, width, height) {
		x := 0
		for _, s := range l {
			for _, r := range s.text {
				u.screen.SetContent(x, y, r, nil, s.style.onScreen())
				x++
			}
		}
	}
	u.screen.Show()
}

func (s style) onScreen() tcell.Style {
	usual := tcell.StyleDefault
	switch s {
	case strong:
		return usual.Bold(true)
	case chosen:
		return usual.Reverse(true)
	case served:
		return usual.Foreground(tcell.ColorGreen)
	case refusal:
		return usual.Foreground(tcell.ColorRed)
	case warning:
		return usual.Foreground(tcell.ColorYellow).Bold(true)
	}
	return usual
}
