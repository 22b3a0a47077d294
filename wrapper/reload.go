package wrapper

import (
	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
)

// LoadShared loads the configuration of a process that serves many clients, with all networks. It
// looks up the host name, so that no client has to wait for that. It may take a second, for a
// hundred thousand networks. Results and errors are those of [config.Load].
func LoadShared(file string) (*config.Config, error) {
	c, err := config.Load(file, allowlist.All())
	if c != nil {
		HostName(c)
	}
	return c, err
}

// LogMistakes logs what is wrong with a configuration. Fate is added to each line, and says what
// becomes of the directive: config.LineSkipped, or nothing.
func LogMistakes(log maillog.Log, err error, fate string) {
	for _, line := range config.LogLines(err, fate) {
		_ = log.Write(maillog.Warning, line)
	}
}

// LogReload logs what a SIGHUP has led to. With an error of [LoadShared] the process must keep its
// previous configuration: a mistake in the new one must not undo what is right in the old one.
func LogReload(log maillog.Log, file string, err error) {
	if err != nil {
		LogMistakes(log, err, "")
		_ = log.Write(maillog.Warning, file+": keeping the previous configuration; "+
			"fix it (sendwrap check) and send SIGHUP again")
		return
	}
	_ = log.Write(maillog.Info, file+": configuration reloaded")
}
