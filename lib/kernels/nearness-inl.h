// nearness-inl.h: included once per instruction set (Highway's foreach_target): what nearness.cpp and measure.cpp share.
#if defined(LASTBIT_KERNELS_NEARNESS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LASTBIT_KERNELS_NEARNESS_INL
#undef LASTBIT_KERNELS_NEARNESS_INL
#else
#define LASTBIT_KERNELS_NEARNESS_INL
#endif

#include <bit>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<double>;
using F = hn::ScalableTag<float>;
using I = hn::RebindToSigned<F>;
using VD = hn::Vec<D>;
using VF = hn::Vec<F>;
using VI = hn::Vec<I>;
constexpr std::int64_t wide = HWY_LANES(double), single = HWY_LANES(float);

/// v to the nearest integer, ties to even: |v| < 2^51 (2^22).
template <class T, class V>
HWY_ATTR HWY_INLINE V nearest(T d, V v) {
  const V shift = hn::Set(d, static_cast<hn::TFromD<T>>(sizeof(hn::TFromD<T>) == 8 ? 0x1.8p52 : 0x1.8p23));
  return hn::Sub(hn::Add(v, shift), shift);
}

/// The set lanes of a mask, counted from `from`.
template <class M, class T>
HWY_ATTR HWY_INLINE std::int64_t note(T d, M mask, std::int64_t from, std::uint16_t* near) {
  if (HWY_LIKELY(hn::AllFalse(d, mask))) return 0;
  std::uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, mask, bytes);
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes, 8);
  std::int64_t n = 0;
  for (; bits; bits &= bits - 1) near[n++] = static_cast<std::uint16_t>(from + std::countr_zero(bits));
  return n;
}

/// As many bytes as F has lanes.
template <class Stored>
HWY_ATTR HWY_INLINE VI integers(const std::byte* at) {
  return hn::PromoteTo(I(), hn::LoadU(hn::Rebind<Stored, F>(), reinterpret_cast<const Stored*>(at)));
}

/// f.operator()<A, B, Stored>() for the types of three tensors' bytes.
template <class G>
HWY_ATTR std::int64_t of_types(bool a, bool b, bool stored, const G& f) {
  using I8 = std::int8_t;
  using U8 = std::uint8_t;
  const auto third = [&]<class A, class B>() { return stored ? f.template operator()<A, B, I8>() : f.template operator()<A, B, U8>(); };
  const auto second = [&]<class A>() { return b ? third.template operator()<A, I8>() : third.template operator()<A, U8>(); };
  return a ? second.template operator()<I8>() : second.template operator()<U8>();
}

/// float32 values of sums of two bytes, in the steps that ByteSums names.
HWY_ATTR HWY_INLINE VF value_of(const ByteSums& s, VI a, VI b) {
  const F f;
  const auto set = [&](double v) HWY_ATTR { return hn::Set(f, static_cast<float>(v)); };
  return hn::Add(hn::Mul(hn::ConvertTo(f, a), set(s.a_step)), hn::Add(hn::Mul(hn::ConvertTo(f, b), set(s.b_step)), set(s.offset)));
}

/// Some bytes where a whole vector may be read.
struct Padded {
  std::byte bytes[64] = {};
  Padded(const std::byte* from, std::int64_t n) { std::memcpy(bytes, from, static_cast<std::size_t>(n)); }
};

}  // namespace
}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
