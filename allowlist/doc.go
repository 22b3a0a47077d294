// Package allowlist holds networks and what the administrator said about each: let in,
// turned away, or measured by limits of their own. The longest network that holds a
// client decides; limits are inherited from shorter ones key by key.
//
// It knows nothing of files, connections or replies.
//
// A process that serves one connection asks about one client, and building a trie of ten
// thousand networks for a single question costs 115 ms. So a list made by [For] looks at
// each network as it is named and keeps those that hold its client, which are few, mostly none.
// A list made by [All] keeps every network and answers for anyone; that is for commands.
package allowlist
