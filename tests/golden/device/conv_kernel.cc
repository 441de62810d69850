// A convolution as TFLM and CMSIS-NN compute it, written from their public formulas: NHWC input, OHWI (or 1HWC) weights, an int32
// bias, SaturatingRoundingDoublingHighMul and RoundingDivideByPOT. It is compiled against emitted headers and must reproduce them.
#include <algorithm>
#include <cstdint>
#include <cstdio>

#include VECTORS

#define PASTE(a, b) a##b
#define JOIN(a, b) PASTE(a, b)
#define M(key) JOIN(MACRO, key)
#define A(key) JOIN(ARRAY, key)

static int32_t requantize(int32_t acc, int32_t multiplier, int32_t shift) {
  const int32_t left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
  const int64_t product = static_cast<int64_t>(static_cast<int32_t>(static_cast<uint32_t>(acc) << left)) * multiplier;
  const int64_t nudge = product >= 0 ? (1 << 30) : 1 - (1 << 30);
  const int32_t high = static_cast<int32_t>((product + nudge) / (int64_t(1) << 31));
  const int32_t mask = static_cast<int32_t>((int64_t(1) << right) - 1), rest = high & mask, threshold = (mask >> 1) + (high < 0);
  return (high >> right) + (rest > threshold);
}

int main() {
  const int out_per_group = M(_OUT_CH) / M(_GROUPS), in_per_group = M(_IN_CH) / M(_GROUPS);
  int wrong = 0, at = 0;
  for (int n = 0; n < M(_INPUT_BATCHES); ++n)
    for (int oy = 0; oy < M(_OUTPUT_H); ++oy)
      for (int ox = 0; ox < M(_OUTPUT_W); ++ox)
        for (int o = 0; o < M(_OUT_CH); ++o, ++at) {
          int32_t acc = A(_biases)[o];
          for (int ky = 0; ky < M(_FILTER_Y); ++ky)
            for (int kx = 0; kx < M(_FILTER_X); ++kx) {
              const int iy = oy * M(_STRIDE_Y) - M(_PAD_Y) + ky * M(_DILATION_Y), ix = ox * M(_STRIDE_X) - M(_PAD_X) + kx * M(_DILATION_X);
              if (iy < 0 || ix < 0 || iy >= M(_INPUT_H) || ix >= M(_INPUT_W)) continue;
              for (int c = 0; c < in_per_group; ++c) {
                const int channel = o / out_per_group * in_per_group + c;
                const int32_t x = A(_input)[((n * M(_INPUT_H) + iy) * M(_INPUT_W) + ix) * M(_IN_CH) + channel] + M(_INPUT_OFFSET);
#ifdef DEPTHWISE
                const int32_t w = A(_weights)[(ky * M(_FILTER_X) + kx) * M(_OUT_CH) + o];
#else
                const int32_t w = A(_weights)[((o * M(_FILTER_Y) + ky) * M(_FILTER_X) + kx) * in_per_group + c];
#endif
                acc += x * w;
              }
            }
          const int32_t y = std::min<int32_t>(std::max<int32_t>(requantize(acc, A(_output_mult)[o], A(_output_shift)[o]) + M(_OUTPUT_OFFSET), M(_OUT_ACTIVATION_MIN)), M(_OUT_ACTIVATION_MAX));
          if (y != A(_output_ref)[at]) ++wrong;
        }
  std::printf("%d of %d wrong\n", wrong, at);
  return at == M(_DST_SIZE) && wrong == 0 ? 0 : 1;
}
