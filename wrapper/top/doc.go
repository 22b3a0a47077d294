// Package top shows what happens at the port now: a screen that is drawn again and again, or one
// frame of text.
//
// It only reads. It maps the ledger without the right to write, and takes no lock, so that nothing
// that happens here delays a client. [Site] looks, [Picture] is what one look has found, history
// has the counts of the last minutes, frame draws all of it as lines, and [Show] is the screen with
// its keys.
package top
