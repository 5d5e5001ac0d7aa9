// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_VERSION_H_
#define KEYSPACE_VERSION_H_

#include "keyspace/internal/config.h"

// The version of this library. CMakeLists.txt reads it from here. While MAJOR is 0, a new MINOR may
// change the API, and a new PATCH does not.
#define KEYSPACE_VERSION_MAJOR 0
#define KEYSPACE_VERSION_MINOR 1
#define KEYSPACE_VERSION_PATCH 0

#endif  // KEYSPACE_VERSION_H_
