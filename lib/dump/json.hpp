// json.hpp: JSON from strangers: at most 32 levels deep, no key twice in one object.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace lastbit {

using Json = nlohmann::json;

/// Throws Error(place: ...) with the line when the text is not JSON.
Json parse_json(std::string_view text, const std::string& place);
/// "the string \"x\"", "3", "an object": a value as a message names it.
std::string described(const Json&);

}  // namespace lastbit
