// Package allowlist holds networks and names, and what the administrator has said about each:
// allow, deny, or limits of its own. For a client the longest network that contains it decides. A
// limit that this network does not set comes from the next shorter one that sets it. Of names, that
// of the client decides, then the longest of those above it.
//
// The package knows nothing of files, connections or replies.
//
// A process that serves one connection asks about one client, and a trie of ten thousand networks
// takes 115 ms to build. So a list made by [For] drops each network that does not contain its
// client: few contain it, mostly none. A list made by [All] keeps every network and answers for any
// client; commands use it. Names are in a map: their number does not matter.
package allowlist
