// Package loglines reads our lines in mail logs, for commands that say what these come to. The way
// of a line: source.go finds and opens the logs, reader.go cuts them into lines, head.go and
// journal.go say which of them are ours and when they were written, line.go reads their keys.
//
// Text that a client chose can never pass for a line or a key of ours. A line is ours only if
// `sendwrap[PID]:` stands right behind the name of the host, where syslogd puts what the writing
// process calls itself. Within a line, values end at a blank or, if quoted, at the quote; maillog
// escapes both, and whatever is not printable ASCII. What does not keep to that is counted as
// unreadable, and nothing of it is believed.
package loglines
