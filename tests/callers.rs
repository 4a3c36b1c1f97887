//! Threads that train at the same time: their shares of the cores, and pools of their own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ironmlp::runtime::Team;
use ironmlp::runtime::callers::{self, Caller};
use ironmlp::runtime::pool::ThreadPool;

use super::{all_take_part, alone, crew, in_a_child};

#[test]
fn who_trains_beside_another_has_workers_of_its_own() {
    let _alone = alone();
    let (started, release) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _caller = Caller::enter();
            ThreadPool::run(Team::whole(2), 2, &|_| {
                started.store(true, Ordering::Release);
                while !release.load(Ordering::Acquire) {
                    thread::yield_now();
                }
            })
            .unwrap();
        });
        while !started.load(Ordering::Acquire) {
            thread::yield_now();
        }
        let _caller = Caller::enter();
        assert_eq!(callers::count(), 2);
        assert!(all_take_part(2));
        // A tile that runs an op of its own takes no other pool.
        let crews = Mutex::new(Vec::new());
        ThreadPool::run(Team::whole(2), 2, &|_| crews.lock().unwrap().push(crew(Team::whole(2))))
            .unwrap();
        assert!(crews.lock().unwrap().iter().all(|crew| crew.len() == 1));
        release.store(true, Ordering::Release);
    });
    assert_eq!(callers::count(), 0);
}

#[test]
fn threads_that_train_share_the_cores() {
    let _alone = alone();
    let (cores, work) = (thread::available_parallelism().unwrap().get(), 1e9);
    let threads = || Team::for_cost(1000, work).threads();
    assert_eq!(threads(), cores);
    let mut trains = Vec::new();
    for count in 1..=cores + 1 {
        trains.push(Caller::enter());
        assert_eq!(callers::count(), count);
        assert_eq!(threads(), (cores / count).max(1));
    }
    drop(trains);
    assert_eq!(threads(), cores);
}

#[test]
fn a_child_counts_its_own_threads() {
    let _alone = alone();
    let caller = Caller::enter();
    assert!(in_a_child(move || {
        let inherited = callers::count() == 0;
        drop(caller);
        let own = Caller::enter();
        let counted = callers::count() == 1;
        drop(own);
        inherited && counted && callers::count() == 0
    }));
    assert_eq!(callers::count(), 0);
}
