//! Passes over panels, element by element.

use crate::support::matrix::{Matrix, noise};
use ironmlp::kernels::elementwise::{Add, Multiply};
use ironmlp::simd::{Isa, Real};

#[test]
fn mask_is_a_product() {
    for isa in Isa::all() {
        let mut x = Matrix::new(3, 18, |r, c| noise::<f64>(1, r, c));
        let mut mask = Matrix::new(3, 18, |r, c| noise::<f64>(2, r, c));
        let before = x.clone();
        isa.run(Multiply { x: x.view(), mask: mask.view() });
        for row in 0..3 {
            for col in 0..18 {
                assert_eq!(x.at(row, col), before.at(row, col) * mask.at(row, col));
            }
        }
    }
}

#[test]
fn sums_are_rounded_once_and_flushed_if_asked() {
    fn run<T: Real>() {
        let tiny = |r: usize| if r == 1 { T::FLUSH.mul(T::from_f64(0.75)) } else { T::ONE };
        for (isa, flush) in Isa::all().into_iter().flat_map(|isa| [(isa, false), (isa, true)]) {
            let mut a = Matrix::new(3, 35, |r, c| noise::<T>(1, r, c).mul(tiny(r)));
            let mut b = Matrix::new(3, 35, |r, c| noise::<T>(2, r, c).mul(tiny(r)));
            let mut sum = Matrix::new(3, 35, |_, _| T::ZERO);
            isa.run(Add { a: a.view(), b: b.view(), sum: sum.view(), flush });
            for (row, col) in (0..3).flat_map(|row| (0..35).map(move |col| (row, col))) {
                let exact = a.at(row, col).add(b.at(row, col));
                let small = exact.to_f64().abs() < T::FLUSH.to_f64();
                let expected = if flush && small { T::ZERO } else { exact };
                assert_eq!(sum.at(row, col), expected, "{row} {col}");
            }
        }
    }
    run::<f32>();
    run::<f64>();
}

#[test]
fn a_sum_may_take_the_place_of_its_terms() {
    for isa in Isa::all() {
        let mut x = Matrix::new(5, 20, |r, c| noise::<f32>(1, r, c));
        let before = x.clone();
        isa.run(Add { a: x.view(), b: x.view(), sum: x.view(), flush: false });
        for (row, col) in (0..5).flat_map(|row| (0..20).map(move |col| (row, col))) {
            assert_eq!(x.at(row, col), 2.0 * before.at(row, col));
        }
    }
}
