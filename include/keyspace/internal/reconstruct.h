// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_RECONSTRUCT_H_
#define KEYSPACE_INTERNAL_RECONSTRUCT_H_

#include <memory>
#include <type_traits>
#include <utility>

namespace keyspace::internal {

// Destroys `object` and move-constructs it from `other`. Does nothing if both are the same object.
// Serves as the move assignment of classes with members that cannot be assigned, such as lambdas
// and some allocators.
template <class T>
void reconstruct(T& object, std::type_identity_t<T>&& other) noexcept {
  if (&object == &other) return;
  std::destroy_at(&object);
  std::construct_at(&object, std::move(other));
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_RECONSTRUCT_H_
