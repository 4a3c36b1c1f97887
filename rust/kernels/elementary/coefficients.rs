//! The polynomials and bounds of f32 and f64.
//!
//! `benches/coefficients.sollya` derives every polynomial and prints its error.

use super::polynomial::polynomial;
use crate::simd::{Real, Vector};

/// What the elementary functions of one type need to know about it.
pub trait Coefficients: Real {
    /// 1.5 * 2^p for p stored mantissa bits: adding and then subtracting it rounds to an integer,
    /// halves to even.
    const ROUNDER: Self;
    /// 1 / ln 2.
    const LOG2_E: Self;
    /// ln 2, rounded to nearest. `x - k LN2` is exact in one fused multiply-add where the result
    /// is at most 1/2 in magnitude, because x is then a multiple of LN2's last place or half of it.
    const LN2: Self;
    /// ln 2 - LN2.
    const LN2_REST: Self;
    /// ln 2 rounded to so few bits that its product with every exponent is exact.
    const LN2_SHORT: Self;
    /// ln 2 - LN2_SHORT.
    const LN2_SHORT_REST: Self;
    /// (e^r - 1 - r) / r^2 for abs(r) <= ln(2) / 2.
    const EXP: &'static [Self];
    /// e^x is +0 at and below it.
    const EXP_LOW: Self;
    /// e^x is inf at and above it.
    const EXP_HIGH: Self;
    /// Where e^x = 2^k p is neither 0 nor inf, 2^(k + SHIFT) is normal for x <= 0 and
    /// 2^(k - SHIFT) for x >= 0, though 2^k need not be.
    const SHIFT: Self;
    /// 2^-SHIFT.
    const UNSHIFT: Self;
    /// 2^SHIFT.
    const RESHIFT: Self;
    /// expm1(-x) rounds to -1 at and above it.
    const EXPM1_LIMIT: Self;
    /// sigmoid(-x) is below half of the smallest subnormal number at and above it.
    const SIGMOID_LIMIT: Self;
    /// mish(-x) is below half of the smallest subnormal number at and above it.
    const MISH_LIMIT: Self;
    /// tanh(x) is 1 at and above it.
    const TANH_LIMIT: Self;
    /// The smallest positive normal number.
    const MIN_NORMAL: Self;
    /// A power of two that makes every subnormal number normal.
    const RAISE: Self;
    /// log2 of RAISE.
    const RAISE_EXPONENT: Self;
    /// log1p(x) rounds to x below it.
    const LOG1P_TINY: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// (erf(x) / x - 1) as a polynomial in x^2, for abs(x) <= ERF_SPLIT.
    const ERF_NEAR: &'static [Self];
    /// -log(erfc(x)) for ERF_SPLIT <= x <= ERF_LIMIT.
    const ERF_FAR: &'static [Self];
    /// Where the two polynomials of erf meet.
    const ERF_SPLIT: Self;
    /// erf(x) rounds to 1 at and above it.
    const ERF_LIMIT: Self;

    /// log(1 + z) - z for -1/4 <= z <= 1/2.
    fn log1p_tail<V: Vector<Self>>(z: V) -> V;
}

impl Coefficients for f32 {
    const ROUNDER: Self = 12_582_912.0;
    const LOG2_E: Self = std::f32::consts::LOG2_E;
    const LN2: Self = std::f32::consts::LN_2;
    const LN2_REST: Self = -1.904_654_2e-9;
    const LN2_SHORT: Self = 0.693_145_75;
    const LN2_SHORT_REST: Self = 1.428_606_8e-6;
    const EXP: &'static [Self] =
        &[0.5, 0.166_666_67, 0.041_666_456, 0.008_333_198, 0.001_393_576, 0.000_199_534_16];
    const EXP_LOW: Self = -104.0;
    const EXP_HIGH: Self = 89.0;
    const SHIFT: Self = 64.0;
    const UNSHIFT: Self = Self::from_bits((127 - 64) << 23);
    const RESHIFT: Self = Self::from_bits((127 + 64) << 23);
    const EXPM1_LIMIT: Self = 18.0;
    const SIGMOID_LIMIT: Self = 103.972_08;
    const MISH_LIMIT: Self = 109.0;
    const TANH_LIMIT: Self = 9.5;
    const MIN_NORMAL: Self = Self::MIN_POSITIVE;
    const RAISE: Self = (1u64 << 32) as f32;
    const RAISE_EXPONENT: Self = 32.0;
    const LOG1P_TINY: Self = Self::EPSILON / 4.0;
    const INFINITY: Self = Self::INFINITY;
    const ERF_NEAR: &'static [Self] = &[
        0.128_379_17,
        -0.376_126_32,
        0.112_836_72,
        -0.026_858_127,
        0.005_197_890_6,
        -0.000_810_708_6,
        8.219_926_5e-5,
    ];
    const ERF_FAR: &'static [Self] = &[
        0.000_177_496_33,
        1.127_749_6,
        0.637_059_75,
        0.104_037_344,
        -0.022_277_081,
        0.003_055_606,
        -0.000_197_181_55,
    ];
    const ERF_SPLIT: Self = 0.925;
    const ERF_LIMIT: Self = 4.0;

    /// z^2 (-1/2 + z p(z)): eight coefficients are cheaper than the division that f64 needs.
    #[inline(always)]
    fn log1p_tail<V: Vector<Self>>(z: V) -> V {
        const P: &[f32] = &[
            0.333_334_5,
            -0.250_000_98,
            0.199_908_02,
            -0.166_471_48,
            0.144_788_89,
            -0.131_633_48,
            0.104_649_38,
            -0.045_073_908,
        ];
        z.mul(z).mul(polynomial(z, P).fma(z, V::splat(-0.5)))
    }
}

impl Coefficients for f64 {
    const ROUNDER: Self = 6_755_399_441_055_744.0;
    const LOG2_E: Self = std::f64::consts::LOG2_E;
    const LN2: Self = std::f64::consts::LN_2;
    const LN2_REST: Self = 2.319_046_813_846_299_6e-17;
    const LN2_SHORT: Self = 0.693_147_180_560_117_7;
    const LN2_SHORT_REST: Self = -1.723_944_452_561_483_5e-13;
    const EXP: &'static [Self] = &[
        0.500_000_000_000_001_3,
        0.166_666_666_666_667,
        0.041_666_666_666_511_25,
        0.008_333_333_333_307_194,
        0.001_388_888_894_800_997_9,
        0.000_198_412_699_174_390_93,
        2.480_148_897_704_114_4e-5,
        2.755_721_622_944_096e-6,
        2.763_160_946_016_289e-7,
        2.511_788_912_211_305_5e-8,
    ];
    const EXP_LOW: Self = -746.0;
    const EXP_HIGH: Self = 710.0;
    const SHIFT: Self = 512.0;
    const UNSHIFT: Self = Self::from_bits((1023 - 512) << 52);
    const RESHIFT: Self = Self::from_bits((1023 + 512) << 52);
    const EXPM1_LIMIT: Self = 38.0;
    const SIGMOID_LIMIT: Self = 745.133_219_101_941_1;
    const MISH_LIMIT: Self = 752.0;
    const TANH_LIMIT: Self = 19.5;
    const MIN_NORMAL: Self = Self::MIN_POSITIVE;
    const RAISE: Self = (1u64 << 54) as f64;
    const RAISE_EXPONENT: Self = 54.0;
    const LOG1P_TINY: Self = Self::EPSILON / 4.0;
    const INFINITY: Self = Self::INFINITY;
    const ERF_NEAR: &'static [Self] = &[
        0.128_379_167_095_512_56,
        -0.376_126_389_031_834_76,
        0.112_837_916_709_434_47,
        -0.026_866_170_643_060_99,
        0.005_223_977_605_995_373,
        -0.000_854_832_593_172_770_4,
        0.000_120_552_938_081_555_98,
        -1.492_471_878_798_307_6e-5,
        1.644_722_893_705_965_6e-6,
        -1.620_715_229_540_692_3e-7,
        1.371_489_069_093_144_1e-8,
        -7.787_140_263_506_558e-10,
    ];
    const ERF_FAR: &'static [Self] = &[
        4.800_630_438_976_085e-7,
        1.128_374_300_678_013,
        0.636_642_718_966_626_9,
        0.102_705_852_784_189_94,
        -0.018_994_602_536_703_563,
        -0.000_404_686_485_524_742_56,
        0.001_909_889_834_643_350_9,
        -0.000_765_864_794_204_257_9,
        0.000_132_092_191_648_995_55,
        2.171_098_694_458_868_4e-5,
        -2.337_863_596_574_174_8e-5,
        8.835_071_101_345_456e-6,
        -2.174_938_991_921_675e-6,
        3.802_636_626_299_605e-7,
        -4.732_651_754_292_118_5e-8,
        4.015_201_588_149_845e-9,
        -2.089_631_869_993_652_2e-10,
        5.042_984_030_158_596e-12,
    ];
    const ERF_SPLIT: Self = 1.0;
    const ERF_LIMIT: Self = 6.0;

    /// With s = z / (2 + z): log(1 + z) = 2s + s^3 p(s^2), and 2s = z - z^2/2 + s z^2/2.
    #[inline(always)]
    fn log1p_tail<V: Vector<Self>>(z: V) -> V {
        const P: &[f64] = &[
            0.666_666_666_666_666,
            0.400_000_000_000_567_35,
            0.285_714_285_558_072_66,
            0.222_222_242_993_084_74,
            0.181_816_656_878_751_1,
            0.153_911_184_849_947_6,
            0.131_734_843_735_734_69,
            0.138_438_438_126_406_33,
        ];
        let s = z.div(z.add(V::splat(2.0)));
        let s2 = s.mul(s);
        let half_square = z.mul(z).mul(V::splat(0.5));
        let sum = polynomial(s2, P).fma(s2, half_square);
        s.fma(sum, half_square.neg())
    }
}
