//! Columns that lie apart and compressed rows give what a matrix of the same elements gives.

use ironmlp::kernels::gather::{
    ColumnArrays, Columns, CompressedRows, DType, Gather, Matrix, RowOrder, Source, Sparse,
    first_non_finite, non_finite_column,
};
use ironmlp::kernels::panels::Panels;
use ironmlp::simd::{Isa, LANES, Real};
use proptest::prelude::*;

/// A column of `rows` elements, as they lie in these bytes from the first on.
fn column(bytes: &[u8], dtype: DType, rows: usize, stride: usize) -> Matrix<'_> {
    assert!(rows == 0 || (rows - 1) * stride + dtype.size() <= bytes.len());
    // SAFETY: all elements lie within the bytes, which are borrowed for as long as the matrix.
    unsafe { Matrix::new(bytes.as_ptr(), dtype, (rows, 1), (stride as isize, 0)) }
}

fn bytes<T: Copy>(values: &[T], to_bytes: fn(T) -> [u8; 8]) -> Vec<u8> {
    values.iter().flat_map(|&value| to_bytes(value)).collect()
}

fn integers(values: &[i64]) -> Vec<u8> {
    bytes(values, i64::to_le_bytes)
}

/// What a gather leaves in a buffer of its own that holds something else before, padding included.
fn gathered<T: Real>(isa: Isa, source: Source<'_>, rows: RowOrder<'_>, count: usize) -> Vec<u64> {
    let stride = Panels::<T>::padded_stride(count, size_of::<T>());
    let mut buffer = vec![T::from_f64(-7.5); Panels::<T>::buffer_len(source.cols(), stride)];
    // SAFETY: the view is used while the buffer lives, by one thread.
    let target = unsafe { Panels::from_raw(buffer.as_mut_ptr(), count, source.cols(), stride) };
    isa.run(Gather { source, rows, target });
    // Which NaN it is does not matter.
    let bits = |x: &T| if x.to_f64().is_nan() { u64::MAX } else { x.to_f64().to_bits() };
    buffer.iter().map(bits).collect()
}

/// The first column of each row with an element that `first_non_finite` finds.
fn places<T: Real>(source: Source<'_>) -> Vec<Option<usize>> {
    let wrong = |row| first_non_finite::<T>(Isa::PORTABLE, &source, row..row + 1);
    (0..source.rows())
        .map(|row| wrong(row).and_then(|row| non_finite_column::<T>(Isa::PORTABLE, &source, row)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn columns_of_every_type_are_gathered_as_each_of_them_alone(
        words in prop::collection::vec(any::<u64>(), 40..80),
        dtypes in prop::collection::vec(prop::sample::select(DType::ALL.to_vec()), 1..40),
        list in prop::collection::vec(0..7u32, 1..9),
    ) {
        let memory = bytes(&words, u64::to_le_bytes);
        let stride = |col: usize| dtypes[col].size() * (1 + col % 3);
        let parts: Vec<_> = (0..dtypes.len())
            .map(|col| column(&memory[col..], dtypes[col], 7, stride(col)))
            .collect();
        let all = ColumnArrays::new(parts.clone()).unwrap();
        let source = Source::Columns(Columns::new(&all));
        prop_assert_eq!((source.rows(), source.cols()), (7, dtypes.len()));
        for rows in [RowOrder::List(&list), RowOrder::From(2)] {
            let count = if let RowOrder::List(list) = rows { list.len() } else { 5 };
            for isa in Isa::all() {
                let found = gathered::<f32>(isa, source, rows, count);
                let stride = Panels::<f32>::padded_stride(count, 4);
                for (col, part) in parts.iter().enumerate() {
                    let alone = gathered::<f32>(isa, Source::Matrix(*part), rows, count);
                    for i in 0..count {
                        let at = col / LANES * stride + i * LANES + col % LANES;
                        prop_assert_eq!(found[at], alone[i * LANES]);
                    }
                }
                for lane in dtypes.len()..dtypes.len().next_multiple_of(LANES) {
                    let last = dtypes.len() / LANES * stride;
                    prop_assert!((0..count).all(|i| found[last + i * LANES + lane % LANES] == 0));
                }
            }
        }
        let first = (0..7).map(|row| {
            (0..parts.len()).find(|&col| {
                first_non_finite::<f64>(Isa::PORTABLE, &Source::Matrix(parts[col]), row..row + 1)
                    .is_some()
            })
        });
        prop_assert_eq!(places::<f64>(source), first.collect::<Vec<_>>());
        // Some columns of them, as images are gathered.
        let (from, to) = (dtypes.len() / 3, dtypes.len());
        let some = ColumnArrays::new(parts[from..to].to_vec()).unwrap();
        let some = Source::Columns(Columns::new(&some));
        let rows = |source| gathered::<f64>(Isa::PORTABLE, source, RowOrder::From(0), 7);
        prop_assert_eq!(rows(source.columns(from, to)), rows(some));
    }

    #[test]
    fn compressed_rows_are_gathered_as_a_matrix_with_their_zeros(
        cells in prop::collection::vec((0..6usize, 0..37usize, -9i32..9), 0..60),
        list in prop::collection::vec(0..6u32, 1..9),
        (from, to) in (0..20usize, 20..37usize),
    ) {
        let mut dense = vec![0f64; 6 * 37];
        let (mut values, mut columns, mut starts) = (Vec::new(), Vec::new(), vec![0i64]);
        for row in 0..6 {
            for &(_, col, value) in cells.iter().filter(|cell| cell.0 == row) {
                let value = if value == 8 { f64::NAN } else { f64::from(value) };
                dense[row * 37 + col] += value;
                values.push(value);
                columns.push(col as i64);
            }
            starts.push(values.len() as i64);
        }
        let parts = (bytes(&values, f64::to_le_bytes), integers(&columns), integers(&starts));
        let all = CompressedRows::new(
            [
                column(&parts.0, DType::F64, values.len(), 8),
                column(&parts.1, DType::I64, values.len(), 8),
                column(&parts.2, DType::I64, 7, 8),
            ],
            37,
        )
        .unwrap();
        let (sparse, matrix) = (Source::Sparse(Sparse::new(&all)), Source::of_slice(&dense, 37));
        prop_assert_eq!((sparse.rows(), sparse.cols(), sparse.elements()), (6, 37, values.len()));
        let count = list.len();
        for (a, b) in [(sparse, matrix), (sparse.columns(from, to), matrix.columns(from, to))] {
            for isa in Isa::all() {
                let order = RowOrder::List(&list);
                let [left, right] = [a, b].map(|x| gathered::<f32>(isa, x, order, count));
                prop_assert_eq!(left, right);
                let order = RowOrder::From(1);
                let [left, right] = [a, b].map(|x| gathered::<f64>(isa, x, order, 5));
                prop_assert_eq!(left, right);
            }
            prop_assert_eq!(places::<f32>(a), places::<f32>(b));
        }
    }
}

#[test]
fn columns_of_one_block_are_one_matrix() {
    let memory = integers(&(0..64).collect::<Vec<_>>());
    let at = |col: usize| column(&memory[8 * col..], DType::I64, 15, 32);
    let joined = Matrix::joined(&[at(0), at(1), at(2), at(3)]).unwrap();
    assert_eq!((joined.rows(), joined.cols()), (15, 4));
    // SAFETY: the rows of 4 are within the memory.
    let whole = unsafe { Matrix::new(memory.as_ptr(), DType::I64, (15, 4), (32, 8)) };
    let [left, right] = [joined, whole].map(|matrix| {
        gathered::<f64>(Isa::PORTABLE, Source::Matrix(matrix), RowOrder::From(0), 15)
    });
    assert_eq!(left, right);
    assert!(Matrix::joined(&[at(0), at(2)]).is_none());
    assert!(Matrix::joined(&[at(1), at(0)]).is_none());
    assert!(Matrix::joined(&[at(0), column(&memory[8..], DType::U64, 15, 32)]).is_none());
    assert!(Matrix::joined(&[at(0), column(&memory[8..], DType::I64, 15, 8)]).is_none());
    assert!(Matrix::joined(&[at(0), column(&memory[8..], DType::I64, 14, 32)]).is_none());
    assert!(Matrix::joined(&[]).is_none());
}

#[test]
fn what_is_no_table_is_refused() {
    let memory = integers(&[0; 9]);
    let of = |rows| column(&memory, DType::I64, rows, 8);
    assert!(ColumnArrays::new(vec![]).is_err());
    let error = ColumnArrays::new(vec![of(3), of(3), of(4)]).unwrap_err().to_string();
    assert_eq!(error, "column 2 of X has 4 rows, the first has 3");

    let refused = |values: usize, columns: &[i64], starts: &[i64]| {
        let (columns_bytes, starts_bytes) = (integers(columns), integers(starts));
        let parts = [
            column(&memory, DType::I64, values, 8),
            column(&columns_bytes, DType::I64, columns.len(), 8),
            column(&starts_bytes, DType::I64, starts.len(), 8),
        ];
        CompressedRows::new(parts, 5).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(refused(3, &[0, 4, 2], &[0, 2, 3]), Ok(()));
    for (values, columns, starts) in [
        (3, &[0, 5, 2][..], &[0, 2, 3][..]),
        (3, &[0, -1, 2], &[0, 2, 3]),
        (3, &[0, 1], &[0, 2, 3]),
        (3, &[0, 1, 2], &[0, 2, 4]),
        (3, &[0, 1, 2], &[1, 2, 3]),
        (3, &[0, 1, 2], &[0, 2, 1]),
        (3, &[0, 1, 2], &[0, -2, 1]),
        (3, &[0, 1, 2], &[]),
    ] {
        let error = refused(values, columns, starts).unwrap_err();
        assert!(error.starts_with("X is no sparse matrix: "), "{error}");
    }
    let floats = [of(3), column(&memory, DType::F64, 3, 8), of(2)];
    assert!(CompressedRows::new(floats, 5).is_err());
}

#[test]
fn indices_that_change_after_the_check_reach_nothing_else() {
    let values = bytes(&[1.0, 2.0, 3.0], f64::to_le_bytes);
    let (mut columns, mut starts) = (integers(&[0, 1, 2]), integers(&[0, 2, 3]));
    // As another thread may write to them.
    let (to_columns, to_starts) = (columns.as_mut_ptr(), starts.as_mut_ptr());
    let at = |start: *mut u8| {
        // SAFETY: the vectors live to the end of the test, and have three elements.
        unsafe { Matrix::new(start, DType::I64, (3, 1), (8, 0)) }
    };
    let parts = [column(&values, DType::F64, 3, 8), at(to_columns), at(to_starts)];
    let all = CompressedRows::new(parts, 5).unwrap();
    let source = Source::Sparse(Sparse::new(&all));
    let rows = || gathered::<f32>(Isa::PORTABLE, source, RowOrder::From(0), 2);
    let bits = |x: f64| x.to_bits();
    assert_eq!(rows()[..2], [1.0, 2.0].map(bits));
    for (to, other) in [
        (to_columns, i64::MAX),
        (to_columns, i64::MIN),
        (to_columns, 5),
        (to_starts, i64::MAX),
        (to_starts, i64::MIN),
    ] {
        // SAFETY: the first element of a vector.
        let before = unsafe { to.cast::<i64>().replace(other) };
        assert!(rows().iter().all(|x| [0.0, 1.0, 2.0, 3.0, -7.5].map(bits).contains(x)));
        assert_eq!(first_non_finite::<f32>(Isa::PORTABLE, &source, 0..2), None);
        // SAFETY: as above.
        unsafe { to.cast::<i64>().write(before) };
    }
}
