// dump: a dump that lastbit itself reads, with golden.json beside its manifest.
#include "golden/matrix.hpp"
#include "golden/writer.hpp"

namespace lastbit::writers {

Writer dump() {
  return {"dump", "a dump that `lastbit verify` reads, with golden.json", [](const Vectors& v, const std::string& path) {
            make_folder(path);
            write_cases(path, v.label, v.cases[0].producer, v.cases);
            write_text(path + "/golden.json", suite_json(v));
          }};
}

}  // namespace lastbit::writers
