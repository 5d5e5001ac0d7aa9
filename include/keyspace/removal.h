// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_REMOVAL_H_
#define KEYSPACE_REMOVAL_H_

#include "keyspace/internal/config.h"

#include <cstddef>
#include <cstdint>

namespace keyspace {

// Why an entry was removed from a keyspace. A listener is called as
//
//   listener(Key&& key, Value&& value, RemovalCause cause)
//
// once for each entry that is removed. It is not called for the entries that a keyspace holds when
// it is destroyed or assigned to: call clear() before.
//
// When. The listener is called at the end of the call that removed the entry, in the order of the
// removals. The keyspace is then consistent. So a listener may call the keyspace, and may store the
// same key again. Any call of the keyspace is allowed: to erase, clear, rename, iterate or change
// an expiry too, and also shrink_to_fit(). Entries that such a call removes are passed on after the
// listener has returned. A listener must not destroy, move or assign the keyspace. It moves with
// the keyspace: if it holds a pointer to an object that owns the keyspace, that object must not be
// moved. A listener that stores each evicted entry again is called forever. So may be a listener
// that stores each expired entry again, if these expire before it returns.
//
// Exceptions. The call throws the listener's exception after it has taken effect; its result is
// lost. (erase_expired() stops there.) If a call throws before the listener got all removed
// entries, the next call that stores or erases something passes the rest.
//
// Arguments. A listener may move from the key and the value, or ignore them. They are destroyed
// after the listener has returned. Their destructors may call the keyspace; their other operations
// must not.
enum class RemovalCause : std::uint8_t {
  kExpired,   // Its deadline was over when it was erased, evicted or overwritten. The listener is
              // called at that time, not at the deadline: see erase_expired().
  kErased,    // By erase(), erase_if(), getdel() or clear(), by a get_or_compute() that finds
              // nothing, or by a new deadline that is already over. The value that getdel() returns
              // is copied for the listener.
  kReplaced,  // Its key got a new value, even if that was refused; or another entry was renamed to
              // its key. The listener may get the call's key, not the stored one.
  kEvicted,   // To make room for another entry; because set_capacity() lowered the capacity; or
              // because it became too heavy in a rename(), update() or compute().
};
inline constexpr std::size_t kRemovalCauses = 4;

namespace internal {

// The listener of a keyspace that has none.
struct NoListener {};

// The listener of a shard: it keeps what is removed for a call outside the lock.
struct DeferredListener {};

}  // namespace internal

}  // namespace keyspace

#endif  // KEYSPACE_REMOVAL_H_
