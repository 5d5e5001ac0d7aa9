#ifndef KEYSPACE_INTERNAL_REMAKE_H_
#define KEYSPACE_INTERNAL_REMAKE_H_

#include <memory>
#include <type_traits>
#include <utility>

namespace keyspace::internal {

// A move assignment by way of the move constructor, for what has members that cannot be assigned,
// as lambdas and some allocators.
template <class T>
void remake(T& object, std::type_identity_t<T>&& other) noexcept {
  if (&object == &other) return;
  std::destroy_at(&object);
  std::construct_at(&object, std::move(other));
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_REMAKE_H_
