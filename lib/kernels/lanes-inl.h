// lanes-inl.h: included once per instruction set (Highway's foreach_target): what AVX-512 has an instruction for, and Highway no name.
#if defined(LASTBIT_KERNELS_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LASTBIT_KERNELS_LANES_INL
#undef LASTBIT_KERNELS_LANES_INL
#else
#define LASTBIT_KERNELS_LANES_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace {

using FloatLanes = hwy::HWY_NAMESPACE::ScalableTag<float>;
using FloatVector = hwy::HWY_NAMESPACE::Vec<FloatLanes>;
using IntLanes = hwy::HWY_NAMESPACE::ScalableTag<std::int32_t>;
using IntVector = hwy::HWY_NAMESPACE::Vec<IntLanes>;

/// x less the nearest integer, ties to even; exact.
HWY_ATTR HWY_INLINE FloatVector from_nearest(FloatVector x) {
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
  return FloatVector{_mm512_reduce_ps(x.raw, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
#else
  return hwy::HWY_NAMESPACE::Sub(x, hwy::HWY_NAMESPACE::Round(x));
#endif
}

/// The larger of two magnitudes.
HWY_ATTR HWY_INLINE FloatVector larger_magnitude(FloatVector a, FloatVector b) {
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
  return FloatVector{_mm512_range_ps(a.raw, b.raw, 0b1011)};
#else
  return hwy::HWY_NAMESPACE::Max(hwy::HWY_NAMESPACE::Abs(a), hwy::HWY_NAMESPACE::Abs(b));
#endif
}

/// The smaller of two magnitudes.
HWY_ATTR HWY_INLINE FloatVector smaller_magnitude(FloatVector a, FloatVector b) {
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
  return FloatVector{_mm512_range_ps(a.raw, b.raw, 0b1010)};
#else
  return hwy::HWY_NAMESPACE::Min(hwy::HWY_NAMESPACE::Abs(a), hwy::HWY_NAMESPACE::Abs(b));
#endif
}

/// sum + v where the mask is set.
HWY_ATTR HWY_INLINE IntVector add_where(hwy::HWY_NAMESPACE::Mask<IntLanes> mask, IntVector sum, IntVector v) {
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
  return IntVector{_mm512_mask_add_epi32(sum.raw, mask.raw, sum.raw, v.raw)};
#else
  return hwy::HWY_NAMESPACE::Add(sum, hwy::HWY_NAMESPACE::IfThenElseZero(mask, v));
#endif
}

}  // namespace
}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
