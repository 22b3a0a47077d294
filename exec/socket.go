package exec

import "golang.org/x/sys/unix"

// How long a client may be out of reach until the kernel ends its connection, and with that its
// MTA. No client needs longer: it waits five minutes for most replies, and an MTA should as long
// for the next command (RFC 5321 section 4.5.3.2). Without that sendmail waits for an hour, and the
// client's place is taken for as long.
const (
	reachIdle     = 120 // s of silence until it is asked whether it is still there (tcp(7), TCP_KEEPIDLE)
	reachInterval = 30  // s between two such questions
	reachProbes   = 6   // without an answer
	reachTime     = reachIdle + reachInterval*reachProbes
)

// prepare sets what an MTA is to find on the client's socket. Where that fails fd is no TCP socket,
// or its client is gone: the MTA will find out by itself.
func prepare(client int) {
	for _, o := range [...]struct{ level, option, value int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, reachIdle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, reachInterval},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, reachProbes},
		// While something that we have sent is not acknowledged, nobody is asked.
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, reachTime * 1000},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	} {
		_ = unix.SetsockoptInt(client, o.level, o.option, o.value)
	}
}
