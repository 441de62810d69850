// epilogue-inl.h: included once per instruction set (Highway's foreach_target): what an epilogue's vectors read, and the float32 path in vectors.
#if defined(LASTBIT_KERNELS_EPILOGUE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LASTBIT_KERNELS_EPILOGUE_INL
#undef LASTBIT_KERNELS_EPILOGUE_INL
#else
#define LASTBIT_KERNELS_EPILOGUE_INL
#endif

#include "lib/kernels/dot-inl.h"
#include "lib/kernels/lanes-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

using DF = hn::RebindToFloat<D32>;
using VF = hn::Vec<DF>;
using M32 = hn::Mask<D32>;
using D64 = hn::Repartition<std::int64_t, D32>;
using V64 = hn::Vec<D64>;
using U64 = hn::Repartition<std::uint64_t, D32>;

/// Constants of `lanes` consecutive sums.
struct Constants {
  V32 bias;
  VF addend, multiplier;
  V32 mantissa, left, right;      // fixed
  V64 single_even, single_odd;    // single: how far its int64 products are shifted
  HWY_ATTR Constants() {}         // NEON's vectors have constructors, which only code for that instruction set may call
};

/// Per-channel values: channel c's is p[(c - base) * step].
template <class T>
struct Source {
  const T* p;
  std::int64_t step, base = 0;
  Source(const std::vector<T>& v, T (&one)[lanes]) : p(v.data()), step(1) {
    if (v.size() > 1) return;
    std::fill(std::begin(one), std::end(one), v.empty() ? T{} : v[0]);  // one value for all stands still
    p = one;
    step = 0;
  }
  template <bool Across>
  HWY_INLINE auto at(std::int64_t channel) const {
    if constexpr (Across) return hn::LoadU(hn::ScalableTag<T>(), p + step * (channel - base));
    else return hn::Set(hn::ScalableTag<T>(), p[step * (channel - base)]);
  }
  /// The same from a copy that a whole vector may be read from.
  void buffer(T (&copy)[lanes], std::int64_t channel, std::int64_t length) {
    for (std::size_t i = 0; i < lanes; ++i) copy[i] = p[step * (channel - base + std::min(static_cast<std::int64_t>(i), length - 1))];
    p = copy;
    step = 1;
    base = channel;
  }
};

struct Sources {
  alignas(64) std::int32_t whole[3][lanes];
  alignas(64) float single[2][lanes];
  Source<std::int32_t> bias, mantissa, shift;
  Source<float> addend, multiplier;
  explicit Sources(const Epilogue& e) : bias(e.bias, whole[0]), mantissa(e.mantissa, whole[1]), shift(e.shift, whole[2]), addend(e.addend, single[0]), multiplier(e.multiplier, single[1]) {}

  /// All lanes one channel's, or one lane a channel.
  template <bool Fixed, bool Across>
  HWY_INLINE Constants at(std::int64_t channel) const {
    Constants c;  // what the other path reads is anything: a vector of zeros each would cost more than the arithmetic
    c.bias = bias.at<Across>(channel);
    if constexpr (Fixed) {
      const D32 d;
      const V32 s = shift.at<Across>(channel);
      c.mantissa = mantissa.at<Across>(channel);
      c.left = hn::Max(s, hn::Zero(d));
      c.right = hn::Max(hn::Neg(s), hn::Zero(d));
      const V32 n = hn::Sub(hn::Set(d, 31), s);
      c.single_even = hn::BitCast(D64(), hn::And(n, hn::BitCast(d, hn::Set(D64(), std::int64_t{0xFFFFFFFF}))));
      c.single_odd = hn::BitCast(D64(), hn::ShiftRight<32>(hn::BitCast(U64(), n)));
      c.addend = c.multiplier = hn::BitCast(DF(), c.bias);
    } else {
      c.mantissa = c.left = c.right = c.bias;
      c.single_even = c.single_odd = hn::BitCast(D64(), c.bias);
      c.addend = addend.at<Across>(channel);
      c.multiplier = multiplier.at<Across>(channel);
    }
    return c;
  }
};

/// Nearest, ties to even, of values that int32 holds: Highway's own minds the others, which are clamped before.
HWY_INLINE V32 nearest(VF x) {
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
  return V32{_mm512_cvtps_epi32(x.raw)};
#elif HWY_TARGET == HWY_AVX2
  return V32{_mm256_cvtps_epi32(x.raw)};
#elif HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3
  return V32{_mm_cvtps_epi32(x.raw)};
#else
  return hn::NearestInt(x);
#endif
}

struct Running {
  V32 low, high;  // of v
};

/// Of a block, in which a lane counts no more than its vectors.
HWY_ATTR HWY_INLINE void add_counts(EpilogueResult& r, V32 tied, V32 cut) {
  r.tie -= hn::GetLane(hn::SumOfLanes(D32(), tied));
  r.clamped -= hn::GetLane(hn::SumOfLanes(D32(), cut));
}

/// What a calm epilogue's `compare(after)` finds counts where float32 held every sum; else nothing was done, and it is false.
template <class Compare>
HWY_ATTR HWY_INLINE bool if_small(EpilogueResult& r, Running& running, Compare compare) {
  const D32 d;
  const std::int64_t tie = r.tie, clamped = r.clamped;
  const std::size_t differ = r.differ.size();
  Running after = running;
  compare(after);
  const V32 small = hn::Set(d, 1 << 24);
  if (hn::AllFalse(d, hn::Or(hn::Gt(after.high, small), hn::Lt(after.low, hn::Neg(small))))) {
    running = after;
    return true;
  }
  r.tie = tie, r.clamped = clamped;
  r.differ.resize(differ);
  return false;
}

/// Of a line of 64 elements those whose bits are set.
inline void note_line(EpilogueResult& r, std::int64_t element, std::uint64_t differ) {
  for (; HWY_UNLIKELY(differ != 0); differ &= differ - 1) r.differ.push_back(element + std::countr_zero(differ));
}

inline bool is_negative(const Epilogue& e) { return info(e.y).min < 0; }

/// Below a multiplier of 1 no product of an int32 reaches 2^31.
inline bool is_small(const Epilogue& e, std::int64_t channel, std::int64_t count) {
  const float* m = e.multiplier.data() + (e.multiplier.size() == 1 ? 0 : channel);
  if (e.multiplier.size() == 1) count = 1;
  std::uint32_t large = 0;
  for (std::int64_t i = 0; i < count; ++i) large |= (std::bit_cast<std::uint32_t>(m[i]) << 1) >= (std::bit_cast<std::uint32_t>(1.0f) << 1);  // of any sign
  return !large;
}
inline bool is_plain(const Epilogue& e, std::int64_t channel, std::int64_t count) { return e.addend.empty() && (e.range || is_small(e, channel, count)); }

/// Whether packing to bytes clamps as the epilogue does what int32 holds.
inline bool packs_clamp(const Epilogue& e) { return e.min == info(e.y).min && e.max == info(e.y).max && info(e.y).bits == 8; }

/// Plain, ranged: nothing is added, and nothing becomes INT32_MIN; ranged clamps before it rounds.
enum class Way { any, plain, ranged };

/// y = clamp(rne((f32(v) [+ addend]) * multiplier)), without the zero point, v = acc + bias; events are counted where asked for: ties and clamps.
/// What is counted are variables of the caller's, not members: GCC 12 keeps those in memory where a closure knows of them.
template <Way How, bool Events>
struct Float32 {
  VF low, high, below, above;
  V32 whole_low, whole_high;
  bool range, add;

  HWY_ATTR HWY_INLINE explicit Float32(const Epilogue& e) {
    const D32 d;
    const DF df;
    low = hn::Set(df, static_cast<float>(e.min - e.zero_point));
    high = hn::Set(df, static_cast<float>(e.max - e.zero_point));
    below = hn::Sub(low, hn::Set(df, 1.0f));
    above = hn::Add(high, hn::Set(df, 1.0f));
    whole_low = hn::Set(d, e.min - e.zero_point);
    whole_high = hn::Set(d, e.max - e.zero_point);
    range = How == Way::any ? e.range : How == Way::ranged;
    add = !e.addend.empty();
  }

  /// Of a vector that is not whole the lanes from `skip` on are new. tied, cut: minus how many, by lane.
  template <bool Whole>
  HWY_INLINE V32 of(const Constants& c, const std::int32_t* acc, std::int64_t skip, V32& least, V32& most, V32& tied, V32& cut) const {
    VF rest = hn::Zero(DF());
    const V32 y = before_ties<Whole, true>(c, acc, skip, rest, least, most, cut);
    if constexpr (Events) count<Whole>(tied, is_tie(rest), skip);
    return y;
  }

  /// Four vectors, whole; ties are rare, and looked for together. Not clamped, without events: what becomes of it is packed to bytes of that range.
  template <bool Clamped, class At>
  HWY_INLINE void of_four(const At& at, std::int64_t step, const std::int32_t* acc, V32 (&y)[4], V32& least, V32& most, V32& tied, V32& cut) const {
    VF rest[4];
    LASTBIT_UNROLL
    for (int k = 0; k < 4; ++k) {
      rest[k] = hn::Zero(DF());
      y[k] = before_ties<true, Clamped>(at(k), acc + k * step, 0, rest[k], least, most, cut);
    }
    if constexpr (Events) {
      const VF largest = larger_magnitude(larger_magnitude(rest[0], rest[1]), larger_magnitude(rest[2], rest[3]));
      if (HWY_UNLIKELY(!hn::AllFalse(D32(), is_tie(largest)))) {
        LASTBIT_UNROLL
        for (int k = 0; k < 4; ++k) count<true>(tied, is_tie(rest[k]), 0);
      }
    }
  }

 private:
  static HWY_INLINE M32 is_tie(VF rest) { return hn::RebindMask(D32(), hn::Eq(hn::Abs(rest), hn::Set(DF(), 0.5f))); }
  template <bool Whole>
  static HWY_INLINE void count(V32& of, M32 m, std::int64_t skip) {
    const D32 d;
    of = add_where(Whole ? m : hn::And(m, hn::Gt(hn::Iota(d, 0), hn::Set(d, static_cast<std::int32_t>(skip - 1)))), of, hn::Set(d, -1));
  }

  /// rest: with events, what was rounded less the nearest integer.
  template <bool Whole, bool Clamped>
  HWY_INLINE V32 before_ties(const Constants& c, const std::int32_t* acc, std::int64_t skip, VF& rest, V32& least, V32& most, V32& cut) const {
    const D32 d;
    const DF df;
    const V32 v = hn::Add(hn::LoadU(d, acc), c.bias);
    least = hn::Min(least, v);
    most = hn::Max(most, v);
    VF x = hn::ConvertTo(df, v);
    if constexpr (How == Way::any)
      if (add) x = hn::Add(x, c.addend);
    x = hn::Mul(x, c.multiplier);
    if constexpr (How == Way::any)
      if (!range) x = hn::IfThenElse(hn::Ge(x, hn::Set(df, 2147483648.0f)), low, x);
    if constexpr (Events) {
      if constexpr (How == Way::ranged) {  // bounds are integers: what is inside them rounds to them at most
        const VF inside = hn::Min(hn::Max(x, low), high);
        count<Whole>(cut, hn::RebindMask(d, hn::Ne(x, inside)), skip);
        rest = from_nearest(inside);
        return nearest(inside);
      } else if constexpr (How == Way::plain) {
        const V32 rounded = nearest(x), kept = hn::Min(hn::Max(rounded, whole_low), whole_high);
        count<Whole>(cut, hn::Ne(rounded, kept), skip);
        rest = from_nearest(x);
        return kept;
      } else {
        const VF inside = hn::Min(hn::Max(x, low), high);
        const V32 rounded = nearest(hn::Min(hn::Max(x, below), above));
        const V32 kept = hn::Min(hn::Max(rounded, whole_low), whole_high);
        count<Whole>(cut, range ? hn::RebindMask(d, hn::Ne(x, inside)) : hn::Ne(rounded, kept), skip);
        rest = from_nearest(range ? inside : x);
        return kept;
      }
    } else {
      return nearest(Clamped ? hn::Min(hn::Max(x, low), high) : x);
    }
  }
};

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
