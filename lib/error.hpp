// error.hpp: what is thrown when the input is at fault. The program turns it into one line and exit status 2.
#pragma once
#include <stdexcept>
#include <string>

namespace lastbit {

/// Wrong input: `place: what was found, what was expected`. Never for arithmetic (that is an event), never for our own bugs.
struct Error : std::runtime_error {
  Error(const std::string& place, const std::string& what) : std::runtime_error(place + ": " + what) {}
};

/// Our own mistake: exit status 3. Stays on in release, since a wrong reference is worse than none.
struct InternalError : std::logic_error {
  using std::logic_error::logic_error;
};

inline void ensure(bool condition, const char* what) {
  if (!condition) throw InternalError(what);
}

}  // namespace lastbit
