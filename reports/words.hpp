// words.hpp: numbers and sentences as all formats write them. No locale, no rounding mode of the host.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reports/report.hpp"

namespace lastbit::words {

/// Shortest text that reads back as the same double; "nan", "inf", "-inf".
std::string shortest(double);
/// A fixed number of decimals, correctly rounded.
std::string fixed(double, int decimals);
/// A printed number as it reads back from JSON: "1.50..." (digits cut off) is 1.5. Anything else stays.
std::string canonical(const std::string&);
/// +3, -1, 0.
std::string with_sign(std::int64_t);
/// "1 element", "2 elements".
std::string count(std::int64_t, std::string_view one, std::string_view many = "");
/// 0,12,7,3
std::string index(const std::vector<std::int64_t>&);
std::string join(const std::vector<std::string>&, std::string_view between);
/// A command line that a POSIX shell reads back as these arguments.
std::string shell(const std::vector<std::string>& arguments);

/// Bytes that would move a terminal's cursor or break XML become "?". Line feeds too.
std::string printable(std::string);
/// The same for every string of a report; its printed numbers become canonical.
Report printable(Report);

/// In two lines or fewer: the verdict and its counts, without names.
std::string verdict_sentence(const Report&);
/// "gate passed: ..." or "gate failed: ..." with the first finding.
std::string gate_sentence(const Report&);
/// "conv1 (conv2d): 12 of 50176 elements differ, max 1 LSB"; own or, if only those, inherited mismatches.
std::string divergence_sentence(const LayerReport&);
/// Name of the cause that explains most, "unexplained" when there are mismatches without any, "inherited"
/// when they are all earlier layers', else empty.
std::string leading_cause(const LayerReport&);
/// The share of mismatches without a cause, as a sentence; empty when there are none.
std::string unexplained_sentence(const LayerReport&);
/// The largest absolute error, own or inherited.
std::int64_t largest_error(const LayerReport&);

}  // namespace lastbit::words
