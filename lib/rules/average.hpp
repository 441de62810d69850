// average.hpp: means of windows, by every rule a runtime is known to use.
//
// sum: the window's stored integers; n: elements read; d: the divisor; acc = sum - zi * n (padding holds the zero point).
//
//   channels     body: clamp(rne(f32(f32(acc) * m)) + zo), m = f32(f32(f32(si) / f32(so)) / d), or, with body a rule of
//                quantize_value.hpp, that rule on acc with the scale f32(1 / m); tail: the rule `tail` on acc with the
//                scale f32(1 / m): the reciprocal is taken twice. The body is the first C / width * width channels.
//   inside       clamp(rne(f32(f32(f32(acc) * m) + f32(zo))))
//   codes        clamp(rne(f32(f32(sum) * r))), r = f32(f32(f32(1 / kd) / kh) / kw): the codes' own mean, no zero point
//   mean_codes   clamp(rne(f32(f32(sum) / f32(n))))
//   mean_float   dequantized, added up in float32, divided by n, quantized: in the order of cascade_sum.hpp (order =
//                cascade, up to 32767 elements), else an interval
//   full_kernel  clamp(rne(f32(f32(acc) * m)) + zo), m = f32(f32(si) / f32(f32(so) * f32(k))), k: the whole kernel, whatever
//                count_include_pad and divisor_override say
//   float_sum    v = sum of f32(si * (x - zi)) in float32, in order; clamp(rne(f32(f32(f32(v / d) / so) + zo)))
//   range        clamp(rne(clamp(f32(f32(acc) * m), qmin - zo, qmax - zo)) + zo), m as in full_kernel
//   integer_away sum / n rounded half away from zero, with n / 2 cut to an integer: scales and zero points play no part
// d is divisor_override, else n, else with count_include_pad the elements read and the padding, without what ceil_mode lets hang
// over the end of the padding; with divisor = kernel the whole kernel then.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

Operator average_pool(int dims);
Operator adaptive_average_pool(int dims);

}  // namespace lastbit
