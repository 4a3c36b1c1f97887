//! Rows of matrices of any dtype and strides arrive as the nearest values, and nothing else is read.

use ironmlp::kernels::gather::{
    self, DType, Gather, RowOrder, Source, first_non_finite, to_i64, to_vec,
};
use ironmlp::kernels::panels::Panels;
use ironmlp::simd::{Isa, LANES, Real};
use proptest::prelude::*;

/// Half precision by its definition.
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + mantissa / 1024.0) * 2f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// The element of that type with those bytes, as NumPy's `astype` gives it.
fn nearest<T: Real>(dtype: DType, bytes: &[u8]) -> T {
    macro_rules! number {
        ($D:ty) => {{
            let x = <$D>::from_le_bytes(bytes.try_into().unwrap());
            T::from_f64(if size_of::<T>() == 4 { f64::from(x as f32) } else { x as f64 })
        }};
    }
    match dtype {
        DType::F16 => T::from_f64(half(u16::from_le_bytes(bytes.try_into().unwrap()))),
        DType::F32 => number!(f32),
        DType::F64 => number!(f64),
        DType::I8 => number!(i8),
        DType::I16 => number!(i16),
        DType::I32 => number!(i32),
        DType::I64 => number!(i64),
        DType::U8 => number!(u8),
        DType::U16 => number!(u16),
        DType::U32 => number!(u32),
        DType::U64 => number!(u64),
        DType::Bool => T::from_f64(f64::from(u8::from(bytes[0] != 0))),
    }
}

fn bits<T: Real>(x: T) -> u64 {
    // Which NaN it is does not matter.
    if x.to_f64().is_nan() { f64::NAN.to_bits() } else { x.to_f64().to_bits() }
}

/// A matrix in bytes of its own, which are exactly those that its elements span.
///
/// Miri and sanitizers see a read outside of them; on Linux, `Guarded` makes one crash.
#[derive(Clone, Debug)]
struct Matrix {
    bytes: Vec<u8>,
    first: usize,
    dtype: DType,
    shape: (usize, usize),
    strides: (isize, isize),
}

impl Matrix {
    fn new(dtype: DType, shape: (usize, usize), strides: (isize, isize), words: &[u64]) -> Self {
        let reach = |n: usize, stride: isize| (n as isize - 1) * stride;
        let (down, right) = (reach(shape.0, strides.0), reach(shape.1, strides.1));
        let low = down.min(0) + right.min(0);
        let high = down.max(0) + right.max(0);
        let length = (high - low) as usize + dtype.size();
        let bytes = words.iter().flat_map(|w| w.to_le_bytes()).cycle().take(length).collect();
        Self { bytes, first: -low as usize, dtype, shape, strides }
    }

    fn offset(&self, row: usize, col: usize) -> usize {
        let offset = row as isize * self.strides.0 + col as isize * self.strides.1;
        (self.first as isize + offset) as usize
    }

    fn elements_at(&self, start: *const u8) -> gather::Matrix<'_> {
        // SAFETY: all elements lie within the bytes, of which `start` is the first.
        unsafe { gather::Matrix::new(start.add(self.first), self.dtype, self.shape, self.strides) }
    }

    fn elements(&self) -> gather::Matrix<'_> {
        self.elements_at(self.bytes.as_ptr())
    }

    fn source(&self) -> Source<'_> {
        Source::Matrix(self.elements())
    }

    fn element<T: Real>(&self, row: usize, col: usize) -> T {
        let at = self.offset(row, col);
        nearest(self.dtype, &self.bytes[at..at + self.dtype.size()])
    }

    fn set(&mut self, row: usize, col: usize, bytes: &[u8]) {
        let at = self.offset(row, col);
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// What a gather leaves in a buffer, padding included.
fn gathered<T: Real>(
    isa: Isa,
    source: Source,
    rows: RowOrder<'_>,
    count: usize,
) -> (Vec<T>, usize) {
    let stride = Panels::<T>::padded_stride(count, size_of::<T>());
    let mut buffer = vec![T::from_f64(-7.5); Panels::<T>::buffer_len(source.cols(), stride)];
    // SAFETY: the view is used while the buffer lives, by one thread.
    let target = unsafe { Panels::from_raw(buffer.as_mut_ptr(), count, source.cols(), stride) };
    isa.run(Gather { source, rows, target });
    (buffer, stride)
}

fn check<T: Real>(matrix: &Matrix, source: Source, rows: RowOrder<'_>, chosen: &[usize]) {
    for isa in Isa::all() {
        let (buffer, stride) = gathered::<T>(isa, source, rows, chosen.len());
        for (panel, buffer) in buffer.chunks(stride).enumerate() {
            for (i, x) in buffer.iter().enumerate() {
                let (r, c) = (i / LANES, panel * LANES + i % LANES);
                let expected = if r >= chosen.len() {
                    T::from_f64(-7.5)
                } else if c >= source.cols() {
                    T::ZERO
                } else {
                    matrix.element(chosen[r], c)
                };
                assert_eq!(bits(*x), bits(expected), "{} ({r}, {c}) {matrix:?}", isa.name());
            }
        }
    }
}

fn matrices() -> impl Strategy<Value = Matrix> {
    let dtype = prop::sample::select(DType::ALL.to_vec());
    let words = prop::collection::vec(any::<u64>(), 1..60);
    (dtype, 1..9usize, 1..70usize, 0..6usize, -40..40isize, -20..20isize, words).prop_map(
        |(dtype, rows, cols, layout, row, col, words)| {
            let size = dtype.size() as isize;
            let (tall, wide) = (rows as isize * size, cols as isize * size);
            let strides = match layout {
                0 => (wide, size),
                1 => (size, tall),
                2 => (wide + size + 1, size),
                3 => (-wide, -size),
                4 => (size, tall + 3),
                _ => (row, col),
            };
            Matrix::new(dtype, (rows, cols), strides, &words)
        },
    )
}

/// What `first_non_finite` is to find.
fn first_bad<T: Real>(matrix: &Matrix, rows: std::ops::Range<usize>) -> Option<usize> {
    let bad = |r: usize| (0..matrix.shape.1).any(|c| !matrix.element::<T>(r, c).is_finite());
    rows.into_iter().find(|&r| bad(r))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rows_arrive_as_the_nearest_values(
        (matrix, list) in matrices().prop_flat_map(|matrix| {
            let rows = matrix.shape.0 as u32;
            (Just(matrix), prop::collection::vec(0..rows, 1..12))
        }),
    ) {
        let chosen: Vec<_> = list.iter().map(|&row| row as usize).collect();
        check::<f32>(&matrix, matrix.source(), RowOrder::List(&list), &chosen);
        check::<f64>(&matrix, matrix.source(), RowOrder::List(&list), &chosen);
        let start = chosen[0];
        let range: Vec<_> = (start..matrix.shape.0).collect();
        check::<f32>(&matrix, matrix.source(), RowOrder::From(start), &range);
        check::<f64>(&matrix, matrix.source(), RowOrder::From(start), &range);
    }

    #[test]
    fn arrays_are_cast_to_the_nearest_values(matrix in matrices()) {
        let (rows, cols) = matrix.shape;
        let each = (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c)));
        let wide = to_vec::<f64>(&matrix.elements()).unwrap();
        let narrow = to_vec::<f32>(&matrix.elements()).unwrap();
        prop_assert_eq!((wide.len(), narrow.len()), (rows * cols, rows * cols));
        for ((r, c), (wide, narrow)) in each.zip(wide.into_iter().zip(narrow)) {
            prop_assert_eq!(bits(wide), bits(matrix.element::<f64>(r, c)));
            prop_assert_eq!(bits(narrow), bits(matrix.element::<f32>(r, c)));
        }
    }

    #[test]
    fn the_first_row_that_is_not_finite_is_found(matrix in matrices(), start in 0..9usize) {
        let rows = start.min(matrix.shape.0)..matrix.shape.0;
        for isa in Isa::all() {
            prop_assert_eq!(
                first_non_finite::<f32>(isa, &matrix.source(), rows.clone()),
                first_bad::<f32>(&matrix, rows.clone())
            );
            prop_assert_eq!(
                first_non_finite::<f64>(isa, &matrix.source(), rows.clone()),
                first_bad::<f64>(&matrix, rows.clone())
            );
        }
    }
}

#[test]
fn one_bad_element_is_found_wherever_it_is() {
    // Long enough for several blocks of the search, in each layout.
    let (rows, cols) = (2500, 5);
    for (dtype, nan) in [
        (DType::F32, f32::NAN.to_le_bytes().to_vec()),
        (DType::F64, f64::NEG_INFINITY.to_le_bytes().to_vec()),
        (DType::F16, 0xfc00u16.to_le_bytes().to_vec()),
    ] {
        let size = dtype.size() as isize;
        for strides in [
            (5 * size, size),
            (6 * size, size),
            (size, 2500 * size),
            (size, 2501 * size),
            (10 * size, 2 * size),
        ] {
            let finite = Matrix::new(dtype, (rows, cols), strides, &[0]);
            for isa in Isa::all() {
                assert_eq!(first_non_finite::<f32>(isa, &finite.source(), 0..rows), None);
                for row in [0, 1, 15, 16, 819, 820, 1023, 1024, 2048, 2498, 2499] {
                    let mut matrix = finite.clone();
                    matrix.set(row, row % cols, &nan);
                    matrix.set(rows - 1, 0, &nan);
                    let source = matrix.source();
                    let find = |rows| first_non_finite::<f32>(isa, &source, rows);
                    assert_eq!(find(0..rows), Some(row), "{} {strides:?}", isa.name());
                    assert_eq!(find(row..rows), Some(row), "{} {strides:?}", isa.name());
                    assert_eq!(find(0..row), None, "{} {strides:?}", isa.name());
                }
            }
        }
    }
}

#[test]
fn a_number_too_large_for_the_type_is_not_finite() {
    let matrix = Matrix::new(DType::F64, (1, 1), (8, 8), &[1e39f64.to_bits()]);
    assert_eq!(first_non_finite::<f32>(Isa::PORTABLE, &matrix.source(), 0..1), Some(0));
    assert_eq!(first_non_finite::<f64>(Isa::PORTABLE, &matrix.source(), 0..1), None);
}

#[test]
fn every_half_is_converted_exactly() {
    let words: Vec<u64> =
        (0..1u64 << 14).map(|i| (0..4).fold(0, |word, k| word | (4 * i + k) << (16 * k))).collect();
    let matrix = Matrix::new(DType::F16, (1024, 64), (128, 2), &words);
    let all: Vec<_> = (0..1024).collect();
    check::<f32>(&matrix, matrix.source(), RowOrder::From(0), &all);
}

#[test]
fn integers_are_rounded_once() {
    // By way of f64 it would round down to 2^60 first, and then stay there.
    let x = (1i64 << 60) + (1 << 36) + 1;
    let matrix = Matrix::new(DType::I64, (1, 1), (8, 8), &[x as u64]);
    let (buffer, _) = gathered::<f32>(Isa::PORTABLE, matrix.source(), RowOrder::From(0), 1);
    assert_eq!(f64::from(buffer[0]), 2f64.powi(60) + 2f64.powi(37));
}

#[test]
fn labels_keep_their_values() {
    let words = [5, u64::MAX, 1 << 63, i64::MAX as u64];
    let column = |dtype| Matrix::new(dtype, (4, 1), (8, 8), &words);
    let labels = |dtype| to_i64(&column(dtype).elements()).unwrap();
    assert_eq!(labels(DType::I64), [5, -1, i64::MIN, i64::MAX]);
    // Not -1, which may be the label to ignore.
    assert_eq!(labels(DType::U64), [5, i64::MAX, i64::MAX, i64::MAX]);
    assert_eq!(labels(DType::I8), [5, -1, 0, -1]);
    assert_eq!(labels(DType::U16), [5, 65535, 0, 65535]);
    assert_eq!(labels(DType::Bool), [1, 1, 0, 1]);
}

#[test]
fn a_row_that_is_not_there_is_refused() {
    let matrix = Matrix::new(DType::F32, (3, 2), (8, 4), &[1]);
    let source = matrix.source();
    for rows in [
        RowOrder::List(&[0, 3]),
        RowOrder::List(&[u32::MAX, 0]),
        RowOrder::List(&[1]),
        RowOrder::From(2),
    ] {
        let gather = || gathered::<f32>(Isa::PORTABLE, source, rows, 2);
        assert!(std::panic::catch_unwind(gather).is_err(), "{rows:?}");
    }
}

/// Bytes between two pages that must not be touched, at the end or at the start of theirs.
#[cfg(target_os = "linux")]
struct Guarded {
    map: *mut libc::c_void,
    data: *mut u8,
}

#[cfg(target_os = "linux")]
impl Guarded {
    const PAGE: usize = 65_536;

    fn new(bytes: &[u8], at_end: bool) -> Self {
        assert!(bytes.len() <= Self::PAGE);
        // SAFETY: a new mapping of three parts, the middle of which is opened and filled.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let map =
                libc::mmap(std::ptr::null_mut(), 3 * Self::PAGE, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(map, libc::MAP_FAILED);
            let middle = map.cast::<u8>().add(Self::PAGE);
            let open = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(middle.cast(), Self::PAGE, open), 0);
            let data = if at_end { middle.add(Self::PAGE - bytes.len()) } else { middle };
            data.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            Self { map, data }
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made.
        unsafe { libc::munmap(self.map, 3 * Self::PAGE) };
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_outside_the_elements_is_read() {
    let words: Vec<u64> = (0..50u64).map(|i| i.wrapping_mul(0x3a00_1234_5678_3c01)).collect();
    for dtype in DType::ALL {
        let size = dtype.size() as isize;
        for cols in [1usize, 3, 4, 15, 16, 17, 31, 33] {
            let wide = cols as isize * size;
            for strides in
                [(wide, size), (wide + 5, size), (size, 3 * size), (-wide, -size), (0, 0)]
            {
                let matrix = Matrix::new(dtype, (3, cols), strides, &words);
                for at_end in [true, false] {
                    let guarded = Guarded::new(&matrix.bytes, at_end);
                    let elements = matrix.elements_at(guarded.data);
                    let source = Source::Matrix(elements);
                    check::<f32>(&matrix, source, RowOrder::List(&[2, 0, 1]), &[2, 0, 1]);
                    check::<f64>(&matrix, source, RowOrder::From(0), &[0, 1, 2]);
                    for isa in Isa::all() {
                        let expected = first_bad::<f32>(&matrix, 0..3);
                        assert_eq!(first_non_finite::<f32>(isa, &source, 0..3), expected);
                    }
                    assert_eq!(to_vec::<f32>(&elements).unwrap().len(), 3 * cols);
                    assert_eq!(to_i64(&elements).unwrap().len(), 3 * cols);
                }
            }
        }
    }
}
