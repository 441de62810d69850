// json_schema.hpp: the part of JSON Schema (2020-12) that docs/schemas uses.
#pragma once
#include <string>
#include <vector>

#include "lib/dump/json.hpp"

namespace lastbit {

/// What in `instance` does not follow `schema`, one line each ("tensors/x/axis: found -1, expected at least 0"), at most `most`.
/// Throws InternalError on a keyword that is not implemented: a schema is never followed in part.
std::vector<std::string> schema_complaints(const Json& instance, const Json& schema, std::size_t most = 20);

}  // namespace lastbit
