// position: no rule fits, and the differing elements lie in one place: a corrupted channel, row, tail or element. It localises;
// the elements stay unexplained, so there is nothing to try here: see place_of() in verifier/attribute.cpp.
#include "verifier/cause.hpp"

namespace lastbit::causes {

Cause position() {
  return {"position", "where unexplained elements lie", {"position:element", "position:row", "position:channel", "position:tail"}, [](const Case&) { return std::vector<Suspect>{}; }};
}

}  // namespace lastbit::causes
