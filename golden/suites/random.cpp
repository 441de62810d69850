// random: inputs drawn evenly from the whole range. What every suite is measured against.
#include "golden/place.hpp"

namespace lastbit::suites {

Suite random() {
  return {"random", "inputs drawn evenly over their range", [](const Workshop& w) {
            Draft d;
            Random numbers = w.random("random");
            d.cases.push_back(blank_layer(w, {.name = w.op->name, .dyadic = false}, w.samples(32), numbers));
            return d;
          }};
}

}  // namespace lastbit::suites
