//! The cosine of a part of a turn, for normally distributed random numbers.

use super::polynomial::polynomial;
use crate::simd::Vector;

/// (sin(2 pi r) / r - 2 pi) / r^2 as a polynomial in r^2, abs(r) <= 1/8.
const SIN: &[f64] = &[
    -41.341_702_240_399_68,
    81.605_249_275_969_9,
    -76.705_859_709_196_47,
    42.058_685_552_963_43,
    -15.093_831_735_405_441,
    3.781_414_020_430_294,
];
/// (cos(2 pi r) - 1) / r^2 as a polynomial in r^2, abs(r) <= 1/8.
const COS: &[f64] = &[
    -19.739_208_802_178_716,
    64.939_394_022_666_95,
    -85.456_817_206_160_8,
    60.244_641_266_935_26,
    -26.426_245_412_499_124,
    7.902_847_596_237_859_5,
    -1.692_558_819_733_602_3,
];
/// 2 pi minus its nearest f64.
const TWO_PI_REST: f64 = 2.449_293_598_294_706_4e-16;

/// cos(2 pi u) for 0 <= u <= 1, at most 2 ULP; exactly +0 at u = 1/4 and 3/4.
///
/// The reduction to an eighth of a turn is exact, which cos(2 pi u) of a rounded product is not.
#[inline(always)]
#[must_use]
pub fn cos_two_pi<V: Vector<f64>>(u: V) -> V {
    let quarters = u.mul(V::splat(4.0)).round();
    let r = quarters.fma(V::splat(-0.25), u);
    let r2 = r.mul(r);
    let cos = r2.fma(polynomial(r2, COS), V::splat(1.0));
    let bend = r.mul(r2).fma(polynomial(r2, SIN), r.mul(V::splat(TWO_PI_REST)));
    let sin = r.fma(V::splat(std::f64::consts::TAU), bend);
    // Quarter turns 0 to 4: cos, -sin, -cos, sin, cos.
    let zero = V::zero();
    let last = V::select(quarters.eq(V::splat(4.0)), cos, sin);
    let upper = V::select(quarters.eq(V::splat(2.0)), zero.sub(cos), last);
    let lower = V::select(quarters.eq(V::splat(1.0)), zero.sub(sin), cos);
    V::select(quarters.le(V::splat(1.0)), lower, upper)
}
