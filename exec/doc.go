// Package exec becomes the MTA, or starts one: [Stdio.Replace] executes another program in our
// process, [Stdio.Spawn] in a child. The program cannot tell that sendwrap was there before it.
//
// [Hooks] is for other programs, which have no client, and [Stdio.Become] for another program of
// ours; their documentation says what these inherit.
//
// An MTA inherits
//
//   - fds 0, 1 and 2 and no other. A descriptor of ours would stay open for the whole session, in
//     the MTA and in the mailers that it runs as ordinary users: sendmail closes 3 to 255 and no
//     further. From Replace, fds 0 to 2 are as the super-server gave them to us, except what was
//     broken before: a closed one is /dev/null (the Go runtime opens it before main), and an fd 1
//     that is not the client's becomes the client's (see [TakeStdio]). From Spawn, fds 0 and 1 are
//     the client's socket. So is fd 2 if ours was a socket for clients, as under inetd; otherwise
//     fd 2 is ours, a log or the journal. [Stdio.SetStderr] can change fd 2, so that the client
//     does not read the MTA's error messages in the middle of SMTP;
//   - from Replace, the open file descriptions with their flags, O_NONBLOCK among them, unchanged;
//     from Spawn, a socket in blocking mode, as accept(2) returns it;
//   - the default disposition of every signal and an empty mask, whatever our parent ignored or
//     blocked. Ignored signals would survive execve(2), and systemd starts services with SIGPIPE
//     ignored, nohup(1) with SIGHUP: no signal could tell such an MTA that its client has left, or
//     that it must stop;
//   - our original RLIMIT_NOFILE. Go raises the soft limit at start, and its Exec and ForkExec
//     restore it; a raw execve would not;
//   - the working directory, the umask and the timer slack;
//   - from Replace, the pid and its start time, by which the ledger knows the session. From Spawn,
//     a session (setsid(2)) and process group of its own: signals to us, or to the MTA of another
//     client, do not reach it;
//   - the environment with the variables of UCSPI (PROTO, TCPREMOTEIP, TCPREMOTEPORT, TCPLOCALIP,
//     TCPLOCALPORT, TCPLOCALHOST), which programs for tcpserver read instead of calling
//     getpeername(2). Removed are those about the client of another connection (TCPREMOTEHOST,
//     TCPREMOTEINFO), those of socket activation (LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS,
//     LISTEN_FDNAMES), whose descriptors the MTA does not get, those by which a service talks to
//     systemd (NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID), SENDWRAP_HANDOVER and SENDWRAP_DOOR;
//   - TCP_NODELAY on the client's socket: `sendmail -bs` answers EHLO in twelve writes, and Nagle's
//     algorithm with a delayed acknowledgement would cost every session 40 ms or more;
//   - SO_KEEPALIVE and TCP_USER_TIMEOUT there: the kernel ends the connection of a client that has
//     been unreachable for five minutes.
//
// Before that, the client's socket may be our own fd 2, and the text of a panic must not go there:
// see [TakeStdio].
package exec
