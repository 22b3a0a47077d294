// Package reload reads the configuration of a process that serves many clients, at its start and at
// each SIGHUP, and logs what came out.
package reload

import (
	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
)

// Load loads the configuration with all networks. It looks up the host name, so that no client has
// to wait for that. It may take a second, for a hundred thousand networks. Results and errors are
// those of [config.Load].
func Load(file string) (*config.Config, error) {
	c, err := config.Load(file, allowlist.All())
	if c != nil {
		wrapper.HostName(&c.Settings)
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

// Log logs what a SIGHUP has led to. With an error of [Load] the process must keep its previous
// configuration: a mistake in the new one must not undo what is right in the old one.
func Log(log maillog.Log, file string, err error) {
	if err != nil {
		LogMistakes(log, err, "")
		_ = log.Write(maillog.Warning, file+": keeping the previous configuration; "+
			"fix it (sendwrap check) and send SIGHUP again")
		return
	}
	_ = log.Write(maillog.Info, file+": configuration reloaded")
}
