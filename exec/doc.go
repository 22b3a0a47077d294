// Package exec becomes the MTA, or starts one: [Stdio.Replace] puts another program into our
// process, [Stdio.Spawn] into a child, in such a way that the program cannot tell that anything
// stood in front of it.
//
// [Hooks] is for other programs, which have no client; what they inherit is said there.
//
// The program inherits
//
//   - fds 0, 1 and 2, and no other. A descriptor of ours would live as long as the session, in the
//     MTA and in the mailers it runs as ordinary users: sendmail closes 3 to 255 and nothing above.
//     From Replace they are as the super-server gave them to us. Two exceptions, both for what was
//     broken before we came: a descriptor that was closed is /dev/null (the Go runtime opens it
//     before main), and an fd 1 that is not the client's becomes the client's (see [TakeStdio]).
//     From Spawn fds 0 and 1 are the client's socket, and so is fd 2 if ours was a socket for
//     clients, as inetd would have given it. Otherwise fd 2 is ours, a log or the journal. All this
//     is so of fd 2 unless [Stdio.SetStderr] says otherwise: what an MTA says there need not reach
//     the client in the middle of SMTP;
//   - from Replace the flags of their open file descriptions, O_NONBLOCK among them, untouched;
//     from Spawn a client's socket in blocking mode, as accept(2) makes it;
//   - the default disposition of every signal and an empty mask, whatever our parent ignored or
//     blocked. execve(2) hands ignored signals on, systemd starts services with SIGPIPE ignored and
//     nohup(1) ignores SIGHUP: an MTA that cannot be told that its client has left, or to stop, is
//     of no use to the next in line either;
//   - the RLIMIT_NOFILE that we were started with. Go raises the soft limit at start, and its Exec
//     and ForkExec put it back; a raw execve would not;
//   - the working directory and the umask;
//   - from Replace the pid and its start time: by pid and start time the ledger knows the session.
//     From Spawn a session (setsid(2)) and a process group of its own, so that nothing which is
//     meant for us or for another client's MTA reaches it;
//   - the environment plus the names of UCSPI (PROTO, TCPREMOTEIP, TCPREMOTEPORT, TCPLOCALIP,
//     TCPLOCALPORT, TCPLOCALHOST), which programs written for tcpserver ask instead of
//     getpeername(2), less what it says of another connection's client (TCPREMOTEHOST,
//     TCPREMOTEINFO), those of socket activation (LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS,
//     LISTEN_FDNAMES), which describe descriptors that are not there, those by which a service
//     talks to systemd (NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID) and SENDWRAP_HANDOVER, which
//     are the room's;
//   - TCP_NODELAY on the client's socket: `sendmail -bs` answers EHLO in twelve writes, and without
//     it Nagle's algorithm and a delayed acknowledgement cost every session 40 ms or more;
//   - SO_KEEPALIVE there, and TCP_USER_TIMEOUT, with times at which the kernel ends the connection
//     of a client that has been out of reach for five minutes.
//
// Until then the client's socket may be our fd 2 as well, and the text of a panic must not go
// there: [TakeStdio].
package exec
