// pytorch_images.cpp: ATen's padding and interpolation. Nearest neighbours are moved bits. The kernels copy an image
// that keeps its size (the channels-last bilinear one does not): a scale of 1.3 makes 3 of 3, and then is not looked at.
//
//   aten/src/ATen/native/quantized/cpu/UpSampleNearest2d.cpp, UpSampleNearest3d.cpp, UpSampleBilinear2d.cpp
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> pytorch_images() {
  const auto rounding = [](const char* rule) { return std::map<std::string, std::string>{{"rounding", rule}}; };
  const auto with = [](const char* width, const char* fused, const char* body, const char* tail) {
    return std::map<std::string, std::string>{{"width", width}, {"fused", fused}, {"body", body}, {"tail", tail}};
  };
  return fused_on_arm({
      {{"pad"}, {}, "copy", {}, rounding("outside")},
      {{"pad"}, {"build:debian"}, "copy", {}, rounding("outside_int64")},
      {{"pad"}, {"version==2.13.0"}, "copy", {}, rounding("inside_fused")},
      {{"upsample_nearest2d", "upsample_nearest3d", "upsample_nearest_exact2d"}, {}, "copy", {}, {{"same_size", "copied"}}},
      {{"upsample_bilinear2d"}, {}, "planar", {}, {{"tail", "outside"}, {"same_size", "copied"}}},
      {{"upsample_bilinear2d"}, {"version==2.13.0"}, "planar", {}, {{"tail", "inside"}, {"same_size", "copied"}}},
      {{"upsample_bilinear2d"}, {"channels_last"}, "channels_last", {}, with("8", "yes", "outside", "outside")},
      {{"upsample_bilinear2d"}, {"channels_last", "version==2.13.0"}, "channels_last", {}, with("8", "yes", "inside_fused", "inside")},
      {{"upsample_bilinear2d"}, {"channels_last", "no_avx2"}, "channels_last", {}, with("0", "no", "outside", "outside")},
      {{"upsample_bilinear2d"}, {"channels_last", "no_avx2", "version==2.13.0"}, "channels_last", {}, with("0", "no", "inside", "inside")},
      // Scalar code, whatever lies innermost, compiled to fused steps.
      {{"upsample_bilinear2d"}, {"arm", "version==2.13.0"}, "channels_last", {}, {{"width", "0"}, {"fused", "yes"}, {"tail", "inside"}, {"same_size", "copied"}}},
      {{"upsample_bilinear2d"}, {"arm", "channels_last", "version==2.13.0"}, "channels_last", {}, {{"width", "0"}, {"fused", "yes"}, {"tail", "inside"}}},
  });
}

}  // namespace lastbit::cells
