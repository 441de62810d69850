// start.cpp: what the program answers in a library's place, so that starting it costs less.
#include <cstdint>

namespace hwy::platform {

std::uint64_t TimerResolution();

/// Highway 1.0.3 measures its clock's resolution whenever libhwy is loaded (nanobenchmark.cc, a static), which takes half of the time in
/// which this program starts. Nothing here measures with that clock: the library's own call ends up here.
std::uint64_t TimerResolution() { return 1; }

}  // namespace hwy::platform
