// dot-inl.h: included once per instruction set (Highway's foreach_target): the two exact ways of multiplying and adding, and transposes.
//
//   Words   pairs of int16:  acc[i] += x[2i] * w[2i] + x[2i+1] * w[2i+1]                      every instruction set
//   Bytes   uint8 by int8:   acc[i] += sum of four x[4i+j] * w[4i+j] (vpdpbusd, no saturation)   where LASTBIT_BYTES is 1
//
// Both wrap modulo 2^32 and are exact as long as the sum fits int32. A dword is 4 Bytes or 2 Words: kernels count in dwords.
#if defined(LASTBIT_KERNELS_DOT_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LASTBIT_KERNELS_DOT_INL
#undef LASTBIT_KERNELS_DOT_INL
#else
#define LASTBIT_KERNELS_DOT_INL
#endif

#undef LASTBIT_BYTES
#if HWY_TARGET == HWY_AVX3_DL
#define LASTBIT_BYTES 1
#else
#define LASTBIT_BYTES 0
#endif

// Highway 1.0.3 forgets avx512vnni among the options of AVX3_DL, though it asks the processor for it. GCC may use avxvnni there, which
// it does not ask for: no plain loop in these files may look like an 8-bit dot product.
#undef LASTBIT_BEFORE_NAMESPACE
#if HWY_TARGET == HWY_AVX3_DL
#define LASTBIT_BEFORE_NAMESPACE() HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni") static_assert(true, "")
#else
#define LASTBIT_BEFORE_NAMESPACE() HWY_BEFORE_NAMESPACE()
#endif

// Small loops over accumulators: unrolled before registers are given out, or they live in memory.
#undef LASTBIT_UNROLL
#if HWY_COMPILER_CLANG
#define LASTBIT_UNROLL _Pragma("unroll")
#else
#define LASTBIT_UNROLL _Pragma("GCC unroll 16")
#endif

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D32 = hn::ScalableTag<std::int32_t>;
using V32 = hn::Vec<D32>;
inline constexpr std::size_t lanes = HWY_LANES(std::int32_t);  // dwords of a vector

struct Words {
  using X = std::int16_t;
  using W = std::int16_t;
  static constexpr std::int64_t per = 2;
  static HWY_INLINE V32 dot(V32 acc, V32 x, V32 w) {
#if HWY_TARGET == HWY_AVX3_DL
    return V32{_mm512_dpwssd_epi32(acc.raw, x.raw, w.raw)};
#else
    const hn::Repartition<std::int16_t, D32> d16;
    V32 second = hn::Zero(D32());
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128
    return hn::ReorderWidenMulAccumulate(D32(), hn::BitCast(d16, x), hn::BitCast(d16, w), acc, second);  // vpmaddwd: pairs stay together
#else
    const V32 first = hn::ReorderWidenMulAccumulate(D32(), hn::BitCast(d16, x), hn::BitCast(d16, w), hn::Zero(D32()), second);
    return hn::Add(acc, hn::RearrangeToOddPlusEven(first, second));
#endif
#endif
  }
};

#if LASTBIT_BYTES
struct Bytes {
  using X = std::uint8_t;
  using W = std::int8_t;
  static constexpr std::int64_t per = 4;
  static HWY_INLINE V32 dot(V32 acc, V32 x, V32 w) { return V32{_mm512_dpbusd_epi32(acc.raw, x.raw, w.raw)}; }
};
#endif

/// A dword from memory in every lane; any alignment.
HWY_INLINE V32 broadcast(const std::byte* p) {
  std::int32_t v;
  __builtin_memcpy(&v, p, 4);
  return hn::Set(D32(), v);
}
HWY_INLINE V32 load(const std::byte* p) { return hn::LoadU(D32(), reinterpret_cast<const std::int32_t*>(p)); }

using D8x16 = hn::FixedTag<std::uint8_t, 16>;
using V8x16 = hn::Vec<D8x16>;

/// Rows become columns: four perfect shuffles, each of which rotates the eight index bits (row, column) by one.
HWY_INLINE void transpose16x16(V8x16 (&r)[16]) {
  V8x16 t[16];
  const D8x16 d;
#define LASTBIT_SHUFFLE(to, from)                            \
  for (std::size_t i = 0; i < 8; ++i) {                      \
    to[2 * i] = hn::InterleaveLower(d, from[i], from[i + 8]); \
    to[2 * i + 1] = hn::InterleaveUpper(d, from[i], from[i + 8]); \
  }
  LASTBIT_SHUFFLE(t, r)
  LASTBIT_SHUFFLE(r, t)
  LASTBIT_SHUFFLE(t, r)
  LASTBIT_SHUFFLE(r, t)
#undef LASTBIT_SHUFFLE
}

#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
/// Sixteen rows of sixteen: quarters of four rows a register, inserted as they are loaded, then 4x4 within each.
HWY_INLINE void transpose_dwords16x16(const std::int32_t* from, std::int64_t from_stride, std::int32_t* to, std::int64_t to_stride) {
  LASTBIT_UNROLL
  for (int q = 0; q < 4; ++q) {
    __m512i r[4];
    LASTBIT_UNROLL
    for (int i = 0; i < 4; ++i) {
      const std::int32_t* f = from + i * from_stride + 4 * q;
      const auto quarter = [&](int k) HWY_ATTR { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(f + 4 * k * from_stride)); };
      r[i] = _mm512_inserti32x4(_mm512_inserti32x4(_mm512_inserti32x4(_mm512_castsi128_si512(quarter(0)), quarter(1), 1), quarter(2), 2), quarter(3), 3);
    }
    const __m512i a = _mm512_unpacklo_epi32(r[0], r[1]), b = _mm512_unpackhi_epi32(r[0], r[1]), c = _mm512_unpacklo_epi32(r[2], r[3]), d = _mm512_unpackhi_epi32(r[2], r[3]);
    std::int32_t* t = to + 4 * q * to_stride;
    _mm512_storeu_si512(t, _mm512_unpacklo_epi64(a, c));
    _mm512_storeu_si512(t + to_stride, _mm512_unpackhi_epi64(a, c));
    _mm512_storeu_si512(t + 2 * to_stride, _mm512_unpacklo_epi64(b, d));
    _mm512_storeu_si512(t + 3 * to_stride, _mm512_unpackhi_epi64(b, d));
  }
}
#endif

/// to[c * to_stride + r] = from[r * from_stride + c], dwords, r < rows, c < columns.
inline HWY_ATTR void transpose_dwords(const std::int32_t* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, std::int32_t* to, std::int64_t to_stride) {
  const hn::FixedTag<std::int32_t, 4> d;
  std::int64_t r = 0;
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
  if (columns % 16 == 0)
    for (; r + 16 <= rows; r += 16)
      for (std::int64_t c = 0; c < columns; c += 16) transpose_dwords16x16(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
#endif
  for (; r + 4 <= rows; r += 4) {
    const std::int32_t* f = from + r * from_stride;
    std::int64_t c = 0;
    for (; c + 4 <= columns; c += 4) {
      const auto a0 = hn::LoadU(d, f + c), a1 = hn::LoadU(d, f + from_stride + c), a2 = hn::LoadU(d, f + 2 * from_stride + c), a3 = hn::LoadU(d, f + 3 * from_stride + c);
      const auto b0 = hn::InterleaveLower(d, a0, a2), b1 = hn::InterleaveUpper(d, a0, a2), b2 = hn::InterleaveLower(d, a1, a3), b3 = hn::InterleaveUpper(d, a1, a3);
      std::int32_t* t = to + c * to_stride + r;
      hn::StoreU(hn::InterleaveLower(d, b0, b2), d, t);
      hn::StoreU(hn::InterleaveUpper(d, b0, b2), d, t + to_stride);
      hn::StoreU(hn::InterleaveLower(d, b1, b3), d, t + 2 * to_stride);
      hn::StoreU(hn::InterleaveUpper(d, b1, b3), d, t + 3 * to_stride);
    }
    for (; c < columns; ++c)
      for (std::int64_t i = 0; i < 4; ++i) to[c * to_stride + r + i] = f[i * from_stride + c];
  }
  for (; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) to[c * to_stride + r] = from[r * from_stride + c];
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
