package try

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"sendwrap/wrapper"
)

// fakeRoom is a program that gets a listening socket in place of sendwrap.
func fakeRoom(role string) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	l, err := net.FileListener(os.NewFile(0, "clients"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	var kept []net.Conn
	go func() {
		for role != "a room that serves nobody" {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			switch role {
			case "a room that lets everyone through":
				go func() {
					converse(conn, wrapper.MachineName(), nil)
					conn.Close()
				}()
			case "a room that denies everyone":
				io.WriteString(conn, "554 5.7.1 no\r\n")
				conn.Close()
			case "a room that keeps connections":
				kept = append(kept, conn)
				converse(conn, wrapper.MachineName(), nil)
			case "a room that keeps its MTAs":
				if err := exec.Command("sleep", "1000").Start(); err != nil {
					io.WriteString(conn, err.Error()+"\r\n")
				}
				converse(conn, wrapper.MachineName(), nil)
				conn.Close()
			case "a room's report":
				report(conn)
				conn.Close()
			default:
				conn.Close()
			}
		}
	}()
	<-stop
	switch role {
	case "a room that fails in the end":
		syscall.Exit(7)
	case "a room that does not end":
		select {}
	}
	syscall.Exit(0)
}
