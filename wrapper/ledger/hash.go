package ledger

import "sendwrap/wrapper/siphash"

// sipHash is a hash under the file's seed: without it nobody can choose addresses that collide in
// one bucket.
func sipHash(key [2]uint64, data []byte) uint64 { return siphash.Sum(key, data) }
