// main.cpp: opens a dump through the installed library and prints its layers, or the reason why it cannot.
#include <iostream>

#include "lib/dump/dump.hpp"
#include "lib/error.hpp"
#include "lib/layer/operator.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return std::cerr << "usage: consumer DUMP\n", 2;
  const auto dump = lastbit::Dump::open(argv[1]);
  const auto& profile = lastbit::find_profile(dump.profile());
  for (const auto& entry : dump.layers()) {
    const lastbit::Layer layer = dump.bind(entry);
    const lastbit::Operator* op = lastbit::find_operator(entry.op);
    const lastbit::Result result = op->run(layer, *lastbit::cell_for(profile, *op, layer));
    std::cout << entry.name << ": " << result.outputs.size() << " output\n";
  }
} catch (const lastbit::Error& error) {
  std::cerr << error.what() << '\n';
  return 2;
}
