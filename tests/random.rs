//! Random numbers are those that NumPy's Philox gives (tests/golden/make_philox.py).

use ironmlp::kernels::panels::Panels;
use ironmlp::kernels::random::{
    DropoutMask, Mt19937, Purpose, Stream, WORDS, normal, permutation, uniform,
};
use ironmlp::simd::{Isa, LANES, Real};

/// A line of the golden file: numbers as arguments, values in hexadecimal.
struct Golden {
    arguments: Vec<&'static str>,
    values: Vec<u64>,
}

impl Golden {
    fn all(name: &str) -> Vec<Self> {
        let lines = include_str!("golden/philox.txt").lines();
        let found: Vec<_> = lines
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.split_once(" : "))
            .map(|(arguments, values)| Self {
                arguments: arguments.split(' ').collect(),
                values: values.split(' ').map(|v| u64::from_str_radix(v, 16).unwrap()).collect(),
            })
            .collect();
        assert!(!found.is_empty(), "{name}");
        found
    }

    fn integer(&self, i: usize) -> u64 {
        self.arguments[i].parse().unwrap()
    }

    fn number(&self, i: usize) -> f64 {
        self.arguments[i].parse().unwrap()
    }

    fn layer(&self, i: usize) -> u32 {
        self.arguments[i].parse().unwrap()
    }
}

#[test]
fn words_are_numpys() {
    for golden in Golden::all("words") {
        let purpose = [Purpose::Weight, Purpose::Bias, Purpose::Shuffle, Purpose::Dropout]
            .into_iter()
            .find(|&purpose| purpose as u64 == golden.integer(1))
            .unwrap();
        let stream = Stream::new(golden.integer(0), purpose, golden.layer(2))
            .at(golden.integer(3), golden.integer(4));
        let words: Vec<_> = stream.words().take(golden.values.len()).collect();
        assert_eq!(words, golden.values);
        assert_eq!(stream.block(2), golden.values[8..12]);
    }
}

fn uniform_of<T: Real>(golden: &Golden) -> Vec<f64> {
    let mut out = vec![T::ZERO; golden.values.len()];
    let stream = Stream::new(golden.integer(0), Purpose::Weight, golden.layer(1));
    uniform(&mut stream.words(), golden.number(2), &mut out);
    out.iter().map(|x| x.to_f64()).collect()
}

#[test]
fn uniform_numbers_are_numpys() {
    for golden in Golden::all("uniform64") {
        let expected: Vec<_> = golden.values.iter().map(|&v| f64::from_bits(v)).collect();
        assert_eq!(uniform_of::<f64>(&golden), expected);
    }
    for golden in Golden::all("uniform32") {
        let expected: Vec<_> =
            golden.values.iter().map(|&v| f64::from(f32::from_bits(v as u32))).collect();
        assert_eq!(uniform_of::<f32>(&golden), expected);
    }
}

#[test]
fn normal_numbers_are_numpys_to_a_few_ulp() {
    for golden in Golden::all("normal64") {
        let stream = Stream::new(golden.integer(0), Purpose::Bias, golden.layer(1));
        let std = golden.number(2);
        let fill = |isa| {
            let mut out = vec![0.0f64; golden.values.len()];
            normal(isa, &mut stream.words(), std, &mut out);
            out
        };
        let portable = fill(Isa::PORTABLE);
        for (x, &expected) in portable.iter().zip(&golden.values) {
            // NumPy rounds 2 pi u2 before the cosine, which near its zeros is no relative bound.
            let expected = f64::from_bits(expected);
            assert!((x - expected).abs() <= 1e-15 * std * 6.0, "{x} {expected}");
        }
        let mut narrow = vec![0.0f32; golden.values.len()];
        for isa in Isa::all() {
            assert_eq!(fill(isa), portable, "{}", isa.name());
            normal(isa, &mut stream.words(), std, &mut narrow);
            assert!(narrow.iter().zip(&portable).all(|(&x, &wide)| x == wide as f32));
        }
    }
}

#[test]
fn normal_numbers_are_normally_distributed() {
    let mut z = vec![0.0f64; 100_000];
    normal(Isa::PORTABLE, &mut Stream::new(3, Purpose::Weight, 0).words(), 2.0, &mut z);
    let moment = |k: i32| z.iter().map(|z| (z / 2.0).powi(k)).sum::<f64>() / z.len() as f64;
    // Four standard errors of each mean.
    assert!(moment(1).abs() < 4.0 * 1.0 / 316.0);
    assert!((moment(2) - 1.0).abs() < 4.0 * 2f64.sqrt() / 316.0);
    assert!((moment(4) - 3.0).abs() < 4.0 * 96f64.sqrt() / 316.0);
}

#[test]
fn permutations_are_numpys() {
    for golden in Golden::all("permutation") {
        let mut order = vec![u32::MAX; golden.values.len()];
        permutation(golden.integer(0), golden.integer(1), &mut order);
        assert_eq!(order.iter().map(|&i| u64::from(i)).collect::<Vec<_>>(), golden.values);
    }
    permutation(0, 0, &mut []);
}

#[test]
fn permutations_hold_each_row_once_and_differ() {
    let order = |seed, epoch| {
        let mut order = vec![0; 1000];
        permutation(seed, epoch, &mut order);
        order
    };
    let mut sorted = order(1, 0);
    assert!(!sorted.is_sorted());
    sorted.sort_unstable();
    assert!(sorted.iter().zip(0..).all(|(&a, b)| a == b));
    assert_ne!(order(1, 0), order(1, 1));
    assert_ne!(order(1, 0), order(2, 0));
}

/// The mask of rows `first_row..first_row + rows`, row by row, padding left out.
fn mask<T: Real>(isa: Isa, kernel: DropoutMask<()>, rows: usize, cols: usize) -> Vec<Vec<T>> {
    let stride = Panels::<T>::padded_stride(rows, size_of::<T>());
    let mut buffer = vec![T::from_f64(-1.0); Panels::<T>::buffer_len(cols, stride)];
    // SAFETY: the view is used while the buffer lives, by one thread.
    let mask = unsafe { Panels::from_raw(buffer.as_mut_ptr(), rows, cols, stride) };
    let DropoutMask { seed, layer, step, first_row, p, .. } = kernel;
    isa.run(DropoutMask { seed, layer, step, first_row, p, mask });
    let at = |r: usize, c: usize| buffer[c / LANES * stride + r * LANES + c % LANES];
    (0..rows).map(|r| (0..cols).map(|c| at(r, c)).collect()).collect()
}

fn masks_are_numpys<T: Real>() {
    for golden in Golden::all("dropout") {
        let row = golden.integer(3) as usize;
        let p = golden.number(4);
        // SAFETY: no element.
        let nothing = unsafe { Panels::from_raw(std::ptr::null_mut(), 0, 0, 0) };
        let kernel = DropoutMask {
            seed: golden.integer(0),
            layer: golden.layer(1),
            step: golden.integer(2),
            first_row: 0,
            p,
            mask: nothing,
        };
        let scale = T::from_f64(65536.0 / (65536.0 - (p * 65536.0).round_ties_even()));
        let expected: Vec<_> =
            golden.values.iter().map(|&v| if v == 1 { scale } else { T::ZERO }).collect();
        for isa in Isa::all() {
            // The row's mask is its own, wherever the tile begins that fills it.
            for first_row in [0, row / 2, row] {
                let kernel = DropoutMask { first_row, ..kernel };
                let rows = mask::<T>(isa, kernel, row - first_row + 1, expected.len());
                assert_eq!(rows[row - first_row], expected, "{} from {first_row}", isa.name());
            }
        }
    }
}

#[test]
fn dropout_masks_are_numpys() {
    masks_are_numpys::<f32>();
    masks_are_numpys::<f64>();
}

/// The state of `numpy.random.RandomState(seed)`, by the initialization of Matsumoto and Nishimura.
fn seeded(seed: u32) -> Mt19937 {
    let mut key = vec![seed];
    for k in 1..WORDS as u32 {
        let last = key[k as usize - 1];
        key.push(1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(k));
    }
    Mt19937::new(&key, WORDS).unwrap()
}

/// What NumPy 2.4 gave: `r = RandomState(5489); x = arange(n); r.shuffle(x)`, for n = 10, then 700.
#[test]
fn a_legacy_shuffle_is_numpys() {
    let mut generator = seeded(5489);
    let mut list: Vec<u32> = (0..10).collect();
    generator.shuffle(&mut list);
    assert_eq!(list, [4, 9, 0, 7, 8, 3, 2, 1, 5, 6]);
    let mut list: Vec<u32> = (0..700).collect();
    generator.shuffle(&mut list);
    assert_eq!(list[..6], [58, 222, 639, 134, 261, 548]);
    assert_eq!(generator.state().1, 404);
}

#[test]
fn shuffling_by_places_permutes_what_there_is() {
    let (mut one, mut other) = (seeded(3), seeded(3));
    let mut places: Vec<u32> = (0..50).collect();
    one.shuffle(&mut places);
    let mut list: Vec<u32> = (0..50).map(|k| 7 * k).collect();
    other.shuffle_by_places(&mut list).unwrap();
    assert_eq!(list, places.iter().map(|place| 7 * place).collect::<Vec<_>>());
}
