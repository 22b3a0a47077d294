// Package report says what our lines in mail logs come to: as text, HTML, JSON, or mail. Package
// loglines reads them, count.go counts them, in bounded memory. Report, in facts.go, is what comes
// of it, and text.go, html.go and the JSON show all of it.
package report
