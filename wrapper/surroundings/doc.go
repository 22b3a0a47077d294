// Package surroundings has what is found around sendwrap on a machine. It reads files and /proc; it
// changes nothing, and starts no program but an Exim, to ask it. Of each file it reads no more than
// a bound. Only tables of the kernel, such as /proc/net/tcp and /proc/PID/fd, it reads whole: its
// time and memory grow with the sockets and files that are open. What cannot be read is taken not
// to be there.
//
// A [Machine] is seen from its root directory, so that a test makes one in a directory of its own.
// Paths in results are those that the machine itself uses, without that directory.
//
//   - [Machine.MTAs]: which MTAs are installed, and their configuration
//   - [AskExim]: how main options of an Exim are set
//   - [Machine.InetdLines], [Machine.XinetdServices], [Machine.Sockets]: all that inetd, xinetd and
//     systemd serve, with every setting, whether or not that is sendwrap
//   - [Machine.Starters]: what of these starts sendwrap, and whether it is switched on; and the
//     processes that do
//   - [Machine.SuperServers]: which super-servers are installed
//   - [Listeners], [Processes]: who listens on a port, and what runs. These are always of the
//     network namespace and of the /proc of the caller, whatever the root directory is;
//     [Process.IsHere] tells those of containers apart
package surroundings
