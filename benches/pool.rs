//! What the pool takes: fork and join of a region on two threads, hot and after a pause, and regions
//! of known work on one and two threads, alone and while another process holds a core.
//!
//! `cargo bench --bench pool [latency|scaling|busy]`. An empty region is over before a worker has seen it; a meeting is one
//! whose two tiles wait for each other, so that it takes both threads.

#![allow(clippy::disallowed_methods, reason = "timings are not part of the numerical contract")]

use std::hint::{black_box, spin_loop};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ironmlp::runtime::Team;
use ironmlp::runtime::pool::ThreadPool;

/// Microseconds: median and 99th percentile of `regions` regions with a pause before each, or of
/// those of 3 seconds.
fn latency(name: &str, pause: Duration, regions: usize, tile: &(dyn Fn(usize) + Sync)) {
    let begin = Instant::now();
    let mut taken: Vec<f64> = (0..regions)
        .take_while(|_| begin.elapsed() < Duration::from_secs(3))
        .map(|_| {
            rest(pause);
            let start = Instant::now();
            ThreadPool::run(Team::whole(2), 2, tile).expect("no panic");
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    taken.sort_by(f64::total_cmp);
    let at = |part: f64| taken[(part * taken.len() as f64) as usize];
    println!("{name:36} median {:8.3} us, p99 {:8.3} us", at(0.5), at(0.99));
}

/// Sleeps if the pause is long, so that the core rests, too.
fn rest(pause: Duration) {
    if pause >= Duration::from_millis(1) {
        std::thread::sleep(pause);
    } else {
        let start = Instant::now();
        while start.elapsed() < pause {
            spin_loop();
        }
    }
}

/// Both tiles of a region meet: each waits until the other has begun.
fn meeting() -> impl Fn(usize) + Sync {
    let begun = AtomicUsize::new(0);
    move |_| {
        let mine = begun.fetch_add(1, Ordering::AcqRel);
        let mut looks = 0;
        while begun.load(Ordering::Acquire) / 2 == mine / 2 {
            spin_loop();
            looks += 1;
            if looks % 1024 == 0 {
                std::thread::yield_now();
            }
        }
    }
}

/// A chain of dependent multiplications.
fn work(rounds: usize) {
    let mut x = black_box(1.000_001_f64);
    for _ in 0..rounds {
        x = x * x + 1e-9;
        x *= 0.5;
    }
    black_box(x);
}

/// Regions of 32 tiles of `rounds` for 50 ms: how many, and the seconds they took.
fn window(team: Team, rounds: usize) -> (f64, f64) {
    let (start, mut regions) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_millis(50) {
        ThreadPool::run(team, 32, &|_| work(rounds)).expect("no panic");
        regions += 1;
    }
    (f64::from(regions), start.elapsed().as_secs_f64())
}

/// One thread and several by turns, since the machine's own load comes and goes.
fn scaling(threads: usize) {
    let round = (0..9)
        .map(|_| {
            let start = Instant::now();
            work(1 << 16);
            start.elapsed().as_secs_f64() * 1e9 / f64::from(1 << 16)
        })
        .fold(f64::INFINITY, f64::min);
    for microseconds in [3.0, 6.0, 12.0, 50.0, 500.0, 5000.0] {
        let rounds = (microseconds * 1e3 / round / 32.0) as usize;
        let teams = [1, threads].map(|threads| Team::for_cost(threads, 1e3 * microseconds));
        let mut sums = [(0.0, 0.0); 2];
        for _ in 0..20 {
            for (team, sum) in teams.iter().zip(&mut sums) {
                let (regions, seconds) = window(*team, rounds);
                *sum = (sum.0 + regions, sum.1 + seconds);
            }
        }
        let [one, two] = sums.map(|(regions, seconds)| 1e6 * seconds / regions);
        println!("  {one:9.2} us on 1 thread, {two:9.2} us on {threads}: {:5.2}x", one / two);
    }
}

/// This program again, as one that only keeps a core busy.
struct Hog(Child);

impl Hog {
    fn start() -> Self {
        let program = std::env::current_exe().expect("a path");
        Self(Command::new(program).arg("hog").stdout(Stdio::null()).spawn().expect("a process"))
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    if std::env::args().any(|argument| argument == "hog") {
        // Ends by itself if nobody ends it.
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(120) {
            work(1 << 20);
        }
        return;
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    if chosen("latency") {
        for (name, pause, regions) in [
            ("hot", Duration::ZERO, 1_000_000),
            ("after 50 us", Duration::from_micros(50), 10_000),
            ("after 1 ms", Duration::from_millis(1), 1000),
        ] {
            latency(&format!("empty region, {name}"), pause, regions, &|_| ());
            latency(&format!("meeting, {name}"), pause, regions, &meeting());
        }
    }
    if chosen("scaling") {
        println!("regions of 32 tiles");
        scaling(2);
        println!("the same with a setting of 7 threads");
        scaling(7);
    }
    if chosen("busy") {
        let _hog = Hog::start();
        println!("regions of 32 tiles while another process holds a core");
        scaling(2);
    }
}
