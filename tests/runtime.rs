//! Memory, the number of threads, and forks.

use std::fs;
use std::path::{Path, PathBuf};

use ironmlp::error::Error;
use ironmlp::runtime::{Arena, Pace, Plain, Team, fork, memory, threads};

fn is_zeroed_and_aligned<T: Plain + PartialEq + std::fmt::Debug>(zero: T, len: usize) {
    let arena = Arena::<T>::zeroed(len).unwrap();
    assert_eq!(arena.len(), len);
    assert_eq!(arena.is_empty(), len == 0);
    assert!(arena.as_ptr().cast::<u8>().addr().is_multiple_of(64), "{len}");
    for i in 0..len {
        // SAFETY: i is below the buffer's length.
        assert_eq!(unsafe { arena.as_ptr().add(i).read() }, zero, "{i} of {len}");
    }
}

#[test]
fn arenas_are_zeroed_and_aligned() {
    for len in [0, 1, 15, 16, 17, 1000, 65_537] {
        // Memory that an earlier buffer wrote to comes back zeroed.
        let used = Arena::<u8>::zeroed(8 * len).unwrap();
        // SAFETY: the buffer has 8 * len bytes.
        unsafe { used.as_ptr().write_bytes(0xff, 8 * len) };
        drop(used);
        is_zeroed_and_aligned(0.0f32, len);
        is_zeroed_and_aligned(0.0f64, len);
        is_zeroed_and_aligned(0u32, len);
    }
    // From 2 MiB on, where huge pages are asked for.
    is_zeroed_and_aligned(0.0f32, 1 << 19);
    is_zeroed_and_aligned(0u8, (3 << 20) + 1);
}

#[test]
fn an_arena_beyond_memory_is_refused() {
    let exabyte = 1usize << 60;
    match Arena::<u8>::zeroed(exabyte) {
        Err(Error::Memory { needed, available }) => {
            assert_eq!(needed, exabyte as u64);
            assert!(available < needed);
        }
        other => panic!("{other:?}"),
    }
    for len in [usize::MAX, usize::MAX / 8, usize::MAX / 16] {
        assert!(matches!(Arena::<f64>::zeroed(len), Err(Error::Memory { .. })), "{len}");
    }
    assert!(matches!(memory::vector::<f64>(1 << 57), Err(Error::Memory { .. })));
    assert!(memory::vector::<f64>(10).unwrap().capacity() >= 10);
}

#[test]
fn a_need_beyond_memory_is_refused() {
    assert_eq!(memory::check(0), Ok(()));
    if cfg!(target_os = "linux") {
        let available = memory::available().unwrap();
        assert!(available > 0);
        assert!(matches!(
            memory::check(u64::MAX),
            Err(Error::Memory { needed: u64::MAX, available }) if available < u64::MAX
        ));
        // The kernel would hand it out, and kill who writes to it.
        let too_much = usize::try_from(available).unwrap() + (1 << 30);
        assert!(matches!(memory::vector::<u8>(too_much), Err(Error::Memory { .. })));
    }
}

/// A folder that looks like the root of a Linux system and is removed at the end.
struct System(PathBuf);

impl System {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("ironmlp-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }

    fn root(&self) -> &Path {
        &self.0
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const MEMINFO: (&str, &str) =
    ("proc/meminfo", "MemTotal: 16000 kB\nMemFree: 9 kB\nMemAvailable:    8000 kB\n");

#[test]
fn available_memory_is_the_least_that_anyone_leaves() {
    let unknown = System::new("unknown", &[("proc/meminfo", "MemTotal: 16000 kB\n")]);
    assert_eq!(memory::available_under(unknown.root()), None);

    let machine = System::new("machine", &[MEMINFO, ("proc/self/cgroup", "0::/\n")]);
    assert_eq!(memory::available_under(machine.root()), Some(8_192_000));

    // The parent's limit is the tightest; the page cache of files makes room.
    let version_2 = System::new(
        "cgroup2",
        &[
            MEMINFO,
            ("proc/self/cgroup", "0::/user/job\n"),
            ("sys/fs/cgroup/user/job/memory.max", "max\n"),
            ("sys/fs/cgroup/user/job/memory.current", "1000\n"),
            ("sys/fs/cgroup/user/memory.max", "900000\n"),
            ("sys/fs/cgroup/user/memory.current", "500000\n"),
            ("sys/fs/cgroup/user/memory.stat", "anon 5\ninactive_file 70000\nactive_file 30000\n"),
        ],
    );
    assert_eq!(memory::available_under(version_2.root()), Some(500_000));

    // The path is the host's; the container sees its own group as the root.
    let version_1 = System::new(
        "cgroup1",
        &[
            MEMINFO,
            ("proc/self/cgroup", "3:cpu,cpuacct:/docker/7\n2:memory:/docker/7\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "600000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "700000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "total_inactive_file 150000\n"),
        ],
    );
    assert_eq!(memory::available_under(version_1.root()), Some(50_000));

    // Use above the limit, as when the limit has been lowered.
    let full = System::new(
        "full",
        &[
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "1000\n"),
            ("sys/fs/cgroup/memory.current", "2000\n"),
        ],
    );
    assert_eq!(memory::available_under(full.root()), Some(0));

    // The process's own limits: of addresses and of data, in bytes; what it uses in kilobytes.
    let head = "Limit                     Soft Limit           Hard Limit           Units\n";
    let space = "Max address space         3000000              unlimited            bytes\n";
    let data = "Max data size             900000               unlimited            bytes\n";
    let unlimited = "Max data size             unlimited            unlimited            bytes\n";
    let status = ("proc/self/status", "VmPeak: 9000 kB\nVmSize: 1000 kB\nVmData: 500 kB\n");
    for (second, left) in [(data, 388_000), (unlimited, 1_976_000)] {
        let limits = format!("{head}{second}{space}");
        let name = format!("limits {left}");
        let own = System::new(&name, &[MEMINFO, status, ("proc/self/limits", &limits)]);
        assert_eq!(memory::available_under(own.root()), Some(left));
    }
}

#[test]
fn the_environment_gives_the_number_of_threads() {
    for (own, omp, expected) in [
        (None, None, 6),
        (Some(""), Some(" "), 6),
        (Some("3"), None, 3),
        (Some(" 3 "), Some("5"), 3),
        (Some("99"), None, 99),
        (None, Some("5"), 5),
        (Some(""), Some("5"), 5),
        (None, Some("4,2,1"), 4),
        (Some("2"), Some("nonsense"), 2),
        (None, Some("0"), 6),
        (None, Some("1.0"), 6),
        (None, Some("abc"), 6),
        (None, Some("-3"), 6),
        (None, Some(",3"), 6),
        (None, Some("4,x"), 4),
        (None, Some("1000000000"), 6),
    ] {
        assert_eq!(threads::from_environment(own, omp, 6), Ok(expected), "{own:?} {omp:?}");
    }
    for (own, omp, name) in [
        (Some("0"), None, "IRONMLP_NUM_THREADS"),
        (Some("-1"), Some("5"), "IRONMLP_NUM_THREADS"),
        (Some("two"), None, "IRONMLP_NUM_THREADS"),
        (Some("1.5"), None, "IRONMLP_NUM_THREADS"),
        (Some("4,2"), None, "IRONMLP_NUM_THREADS"),
        (Some("1000000000"), None, "IRONMLP_NUM_THREADS"),
        (Some("99999999999999999999999"), None, "IRONMLP_NUM_THREADS"),
    ] {
        match threads::from_environment(own, omp, 6) {
            Err(Error::Value(message)) => assert!(message.starts_with(name), "{message}"),
            other => panic!("{own:?} {omp:?}: {other:?}"),
        }
    }
}

#[test]
fn a_variable_that_is_ignored_is_named() {
    for omp in ["0", "1.0", "abc", "-3", ",3", "1000000000"] {
        let complaint = threads::complaint_about(None, Some(omp)).unwrap();
        assert!(complaint.starts_with(&format!("OMP_NUM_THREADS is {omp:?}")), "{complaint}");
        assert_eq!(threads::complaint_about(Some("2"), Some(omp)), None);
    }
    for (own, omp) in [(None, None), (None, Some(" ")), (None, Some("4,2")), (Some("x"), None)] {
        assert_eq!(threads::complaint_about(own, omp), None, "{own:?} {omp:?}");
    }
}

#[test]
fn the_number_that_was_set_holds() {
    for n in [0, threads::MAX_THREADS + 1] {
        assert!(matches!(threads::set_num_threads(n), Err(Error::Value(_))));
    }
    threads::set_num_threads(5).unwrap();
    assert_eq!(threads::num_threads(), Ok(5));
}

#[test]
fn cost_decides_how_many_threads_an_op_gets() {
    let threads = |setting, nanoseconds| Team::for_cost(setting, nanoseconds).threads();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for nothing in [0.0, -1.0, f64::NAN, 1.0, 4999.0] {
        assert_eq!(threads(64, nothing), 1, "{nothing}");
    }
    for setting in [1, 2, 3, 7, 64] {
        assert_eq!(threads(setting, 5000.0), setting.min(2).min(cores));
        assert_eq!(threads(setting, 1e9), setting.min(cores));
        assert_eq!(threads(setting, f64::INFINITY), setting.min(cores));
        let counts: Vec<_> = (0..200).map(|i| threads(setting, 1000.0 * f64::from(i))).collect();
        assert!(counts.is_sorted(), "{counts:?}");
        assert_eq!(Team::whole(setting).threads(), setting);
    }
}

/// Share of the work that went to several threads when a unit took `[one, several]` microseconds,
/// and how much longer all of it took than by the better of the two.
fn pace(pace: &mut Pace, units: usize, times: [f64; 2]) -> (f64, f64) {
    let (mut several, mut total) = (0, 0.0);
    for _ in 0..units {
        let choice = usize::from(pace.threads(5) > 1);
        assert_eq!(pace.threads(5), [1, 5][choice]);
        several += choice;
        total += times[choice];
        if pace.is_due(1e3 * times[0]) {
            pace.record(1, 1e3 * times[choice]);
        }
    }
    let best = if times[0] < times[1] { times[0] } else { times[1] };
    (several as f64 / units as f64, total / (best * units as f64) - 1.0)
}

#[test]
fn short_pieces_of_work_are_not_all_timed() {
    let mut pace = Pace::default();
    let mut timed = |nanoseconds: f64| {
        let due = pace.is_due(nanoseconds);
        if due {
            pace.record(1, nanoseconds);
        }
        due
    };
    assert_eq!((0..1000).filter(|_| timed(1e4)).count(), 250);
    assert!((0..10).all(|_| timed(1e6)));
}

#[test]
fn the_clock_decides_between_one_thread_and_several() {
    for (unit, units) in [(10.0, 1_000_000), (3000.0, 4000), (160_000.0, 1000)] {
        let mut state = Pace::default();
        // Several threads are faster, then slower: as when another process takes a core, and ends.
        for slower in [false, true, false] {
            let times = if slower { [unit, 1.25 * unit] } else { [2.0 * unit, unit] };
            let (several, lost) = pace(&mut state, units, times);
            assert!(if slower { several < 0.2 } else { several > 0.8 }, "{slower}: {several}");
            assert!(lost < 0.05, "{slower}: {lost}");
        }
    }
    // Nor is much lost in the first 150 ms.
    for times in [[20.0, 26.0], [20.0, 80.0], [30.0, 20.0]] {
        let (_, lost) = pace(&mut Pace::default(), 7500, times);
        assert!(lost < 0.05, "{times:?}: {lost}");
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
#[test]
fn a_fork_raises_the_generation_in_the_child_alone() {
    let before = fork::generation();
    // SAFETY: the child calls nothing but an atomic load and `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let raised = fork::generation() > before;
        // SAFETY: ends the child without running the parent's destructors.
        unsafe { libc::_exit(if raised { 7 } else { 1 }) };
    }
    assert!(child > 0);
    let mut status = 0;
    // SAFETY: waits for a child of this process.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status}");
    assert_eq!(fork::generation(), before);
}
