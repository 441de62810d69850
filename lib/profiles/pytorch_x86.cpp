// pytorch_x86: PyTorch's default engine on x86. Linear layers are always FBGEMM's; convolutions are oneDNN's when the CPU has
// AVX-512 VNNI and oneDNN can take the layer, else FBGEMM's.
//
//   aten/src/ATen/native/quantized/cpu/OnednnUtils.h        should_use_onednn_quant
//   aten/src/ATen/native/quantized/cpu/qconv_prepack.cpp    the x86 engine's prepack
#include <algorithm>

#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile pytorch_fbgemm();
Profile pytorch_onednn();

Profile pytorch_x86() {
  Profile p = pytorch_fbgemm();
  p.name = "pytorch-x86";
  p.title = "PyTorch, engine x86: linear by FBGEMM, convolutions by oneDNN where VNNI is";
  p.sources.insert(p.sources.begin(), "PyTorch 2.13.0: OnednnUtils.h should_use_onednn_quant");
  p.evidence = "measured: PyTorch 2.13.0 on AVX-512 VNNI; without VNNI it is pytorch-fbgemm";
  p.for_producer = {"framework:pytorch", "engine:x86"};
  for (Cell cell : pytorch_onednn().cells) {
    if (cell.ops == std::vector<std::string>{"conv2d_add"} && cell.when.empty()) p.cells.push_back(cell);
    const auto takes = [&](const char* op) { return std::find(cell.ops.begin(), cell.ops.end(), op) != cell.ops.end(); };
    const bool forward = takes("conv"), transposed = takes("conv_transpose");
    if ((!forward && !transposed) || std::any_of(cell.when.begin(), cell.when.end(), [](const std::string& c) { return c.starts_with("no_"); })) continue;
    cell.when.insert(cell.when.end(), {"vnni", "!variant:float", "groups<=100", "!weight_zero_point", "!output_padding"});
    if (forward) cell.ops = {"conv"}, p.cells.push_back(cell);
    cell.ops = {"conv_transpose"};
    cell.when.push_back("!per_channel");
    if (transposed) p.cells.push_back(cell);
  }
  std::erase_if(p.cells, [](const Cell& c) { return c.ops == std::vector<std::string>{"conv_dynamic"}; });
  cells::append(p.cells, cells::dynamic_convolutions(p.cells));
  return p;
}

}  // namespace lastbit::profiles
