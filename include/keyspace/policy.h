// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_POLICY_H_
#define KEYSPACE_POLICY_H_

#include "keyspace/internal/config.h"

namespace keyspace {

// The policies: which entry is evicted when a keyspace is full and a new entry needs room. Expired
// entries are erased first, whatever the policy. (The search reads about 4,000 due records. If it
// finds no expired entry, the policy chooses.)
//
// Lru and ScanResistant learn from requests. A request is a call of find(), get(), mget(), getex(),
// getdel(), visit(), update(), compute() or get_or_compute(). The policies record a new value for a
// live key in the same way. A request writes at most one word beside the key, and Lru also counts
// it.
//
// To evict an entry takes constant time. A heavy entry may need many evictions.

// Evicts nothing: there is no capacity.
struct Unbounded {};

// Evicts the entry with the soonest deadline (Redis's volatile-ttl). Entries without a deadline are
// never evicted: a keyspace that is full of them refuses new entries. (An entry that is too heavy
// for the room that they leave is refused after all other entries were evicted, as in Redis.)
//
// Exact for up to 1,000 entries with a deadline. Above that it compares about 1,000 of them, and
// only 16 of those whose deadline was postponed. So it may miss the soonest deadline if many lie
// close together, or if many deadlines were changed lately.
struct EarliestDeadline {};

// Evicts the least recently used entry. It is the most widely known policy. But one walk over many
// keys evicts everything else, and ScanResistant nearly always has more hits.
//
// Exact for up to 1,000 entries. Above that it compares some thousands. It may then miss the oldest
// entry if many old entries were requested or erased lately.
struct Lru {};

// Evicts first the entries that were not requested again after they were stored. A new key enters a
// small queue. If it is requested again there, it moves to the main queue, which has most of the
// capacity. So keys that are requested once do not displace others, and a loop over more keys than
// the capacity has hits. The size of the small queue adapts to the requests.
//
// The queues are those of S3-FIFO (Yang et al., SOSP 2023). A key that comes back after its
// eviction is compared with the next victim by the time since the last request, as in LIRS (Jiang
// and Zhang, SIGMETRICS 2002). ScanResistant takes about 70 bytes for each entry of the
// capacity. Lru takes 35, or 70 if many entries are erased.
struct ScanResistant {};

}  // namespace keyspace

#endif  // KEYSPACE_POLICY_H_
