// module.cpp: the extension module lastbit._native: what the program does, without a process. It takes and gives plain values;
// python/lastbit makes them pleasant. An Error of the library arrives in Python as LastbitError with the same line.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/set.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "lib/error.hpp"
#include "lib/profile/profile.hpp"
#include "reports/from_json.hpp"
#include "verifier/explain_worst.hpp"
#include "verifier/requantize.hpp"
#include "verifier/verify.hpp"

namespace nb = nanobind;

namespace {

using namespace lastbit;
using Integers = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::tuple<std::string, std::string, int> verify(const std::vector<std::string>& dumps, const std::string& profile, const std::string& layer,
                                                 const std::set<std::string>& forms, bool chained, unsigned jobs) {
  VerifyOptions o;
  o.dumps = dumps;
  o.profile = profile;
  o.layer_glob = layer;
  o.forms = forms;
  o.chained = chained;
  o.jobs = jobs;
  o.version = LASTBIT_VERSION;
  Report report = verify_dumps(o);
  explain_worst(report, profile);
  return {find_format("json").render(report, {}), find_format("text").render(report, {}), report.exit_status()};
}

std::string render(const std::string& json, const std::string& format) { return find_format(format).render(report_from_json(json, "report"), {}); }

void requantize_integers(const Integers& acc, const Integers& out, const std::string& profile, const std::string& op, const std::string& dtype, std::int64_t channels,
                         std::int64_t inner, std::vector<double> scale_in, std::vector<double> scale_weight, std::vector<double> scale_out,
                         std::vector<std::int64_t> zero_point, std::vector<float> bias, std::vector<std::int32_t> integer_bias) {
  const RequantizeOptions o{profile, op, dtype, channels, inner, std::move(scale_in), std::move(scale_weight), std::move(scale_out), std::move(zero_point),
                            std::move(bias), std::move(integer_bias)};
  requantize(o, {acc.data(), acc.size()}, {out.data(), out.size()});
}

std::vector<std::string> profiles() {
  std::vector<std::string> all;
  for (const Profile& p : all_profiles()) all.push_back(to_json(p));
  return all;
}

}  // namespace

NB_MODULE(_native, m) {
  m.attr("__version__") = LASTBIT_VERSION;
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    const nb::object error = nb::module_::import_("lastbit.errors").attr("LastbitError");
    try {
      std::rethrow_exception(thrown);
    } catch (const Error& e) {
      PyErr_SetString(error.ptr(), e.what());
    } catch (const InternalError& e) {
      PyErr_SetString(error.ptr(), (std::string("internal error: ") + e.what()).c_str());
    }
  });
  using alone = nb::call_guard<nb::gil_scoped_release>;
  m.def("verify", verify, nb::arg("dumps"), nb::arg("profile"), nb::arg("layer"), nb::arg("forms"), nb::arg("chained"), nb::arg("jobs"), alone());
  m.def("render", render, nb::arg("json"), nb::arg("format"), alone());
  m.def("requantize", requantize_integers, nb::arg("acc"), nb::arg("out"), nb::arg("profile"), nb::arg("op"), nb::arg("dtype"), nb::arg("channels"), nb::arg("inner"),
        nb::arg("scale_in"), nb::arg("scale_weight"), nb::arg("scale_out"), nb::arg("zero_point"), nb::arg("bias"), nb::arg("integer_bias"), alone());
  m.def("profiles", profiles, alone());
}
