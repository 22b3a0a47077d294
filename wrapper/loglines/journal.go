package loglines

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// entry is what we need of an entry of `journalctl -o json`. Journald itself sets the fields with
// an underscore; the others are what the writing process says.
type entry struct {
	Identifier string          `json:"SYSLOG_IDENTIFIER"`
	Transport  string          `json:"_TRANSPORT"`
	PID        string          `json:"SYSLOG_PID"`
	Priority   string          `json:"PRIORITY"`
	Micros     string          `json:"__REALTIME_TIMESTAMP"`
	Message    json.RawMessage `json:"MESSAGE"`
}

// parseJournal reads an entry. Ours come through /dev/log: what a unit writes on its standard error
// may be its MTA's, and repeat a client's text.
func (p *parser) parseJournal(text string) class {
	if !strings.Contains(text, `"sendwrap"`) {
		if strings.HasSuffix(text, "}") && strings.Contains(text, `"__REALTIME_TIMESTAMP"`) {
			return foreign
		}
		return unreadable
	}
	var e entry
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return unreadable
	}
	if e.Identifier != "sendwrap" || e.Transport != "" && e.Transport != "syslog" {
		return foreign
	}
	micros, err := strconv.ParseInt(e.Micros, 10, 64)
	var message string
	if err != nil || !isNumber(e.PID) || json.Unmarshal(e.Message, &message) != nil {
		return garbled
	}
	if severity, err := strconv.Atoi(e.Priority); err == nil {
		p.line.Level = levelOf(severity)
	}
	return p.parseOurs(time.UnixMicro(micros), message)
}
