// The requantization that gemmlowp, TFLM and CMSIS-NN share: a doubling high multiply, half up, then a shift, half away from zero.
// With SINGLE defined: one rounding, half up.
module requantizer(input signed [31:0] acc, input signed [31:0] multiplier, input signed [31:0] shift, input signed [31:0] zero_point,
                   input signed [31:0] min, input signed [31:0] max, output [7:0] y);
  wire [31:0] right = shift > 0 ? 32'd0 : -shift;
  wire signed [31:0] moved = acc <<< (shift > 0 ? shift : 32'sd0);
  wire signed [63:0] product = $signed(moved) * $signed({{32{multiplier[31]}}, multiplier});
  wire signed [63:0] high = (product + 64'sd1073741824) >>> 31;
  wire signed [63:0] half = right == 0 ? 64'sd0 : 64'sd1 <<< (right - 1);
`ifdef SINGLE
  wire signed [63:0] scaled = (product + (64'sd1 <<< (30 + right))) >>> (31 + right);
`else
  wire signed [63:0] scaled = (high + half - (high < 0 && right != 0 ? 64'sd1 : 64'sd0)) >>> right;
`endif
  wire signed [63:0] sum = scaled + zero_point;
  assign y = sum < min ? min[7:0] : sum > max ? max[7:0] : sum[7:0];
endmodule
