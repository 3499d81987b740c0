use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::Roots;

const UNITS: Units = Units { ticks_per_second: 100, page_bytes: 4096 };
/// Enough to be read ahead.
const PROCESSES: usize = 80;

/// A folder that looks like `/proc`, removed afterwards.
struct FakeProc(PathBuf);

impl FakeProc {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("psio-sweep-{}-{count}", std::process::id()));
        let stat = "1 (a) S 1 7 7 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 100 9 9 9 1 1 99 0 0 0 0 0 0 0 0 0 17 0 0 0\n";
        for pid in 1..=PROCESSES {
            let dir = root.join(pid.to_string());
            std::fs::create_dir_all(&dir).unwrap();
            for (name, text) in [("stat", stat), ("statm", "3 2 0 0 0 0 0\n"), ("status", "Uid:\t1\t1\t1\t1\n")] {
                std::fs::write(dir.join(name), text).unwrap();
            }
        }
        Self(root)
    }

    fn sweep(&self, strategy: Strategy) -> Sweep {
        let roots = Roots { proc: self.0.clone(), ..Roots::default() };
        Sweep::open(&Options { roots, strategy, ..Options::default() }, UNITS).unwrap()
    }
}

impl Drop for FakeProc {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn kept(sweep: &Sweep) -> u64 {
    sweep.before.iter().filter_map(|entry| entry.kept.as_ref()).map(Kept::count).sum()
}

#[test]
fn a_reader_that_died_leaves_the_budget_right() {
    let folder = FakeProc::new();
    let mut sweep = folder.sweep(Strategy::Kept);
    sweep.run(0).unwrap();
    sweep.reader = Reader::dying();
    for _ in 0..2 {
        let found = sweep.run(0).unwrap();
        assert_eq!(found.processes.len(), PROCESSES);
        assert!(sweep.reader.is_none());
        assert_eq!(sweep.budget.held(), kept(&sweep));
        assert_eq!(found.kept, PROCESSES as u64);
    }
}

#[test]
fn a_reader_that_died_between_sweeps_takes_nothing() {
    let folder = FakeProc::new();
    let mut sweep = folder.sweep(Strategy::Kept);
    sweep.run(0).unwrap();
    let reader = Reader::dying().unwrap();
    assert!(reader.begin(&mut std::mem::take(&mut sweep.before)).unwrap().is_some());
    assert!(reader.finish().is_err());
    sweep.lose_reader();
    sweep.run(0).unwrap();
    sweep.reader = Some(reader);
    let before = kept(&sweep);
    assert_eq!(sweep.begin_ahead(), None);
    assert!(sweep.reader.is_none());
    assert_eq!((kept(&sweep), sweep.budget.held()), (before, before));
}

#[test]
fn nothing_is_read_ahead_where_nothing_is_kept() {
    let folder = FakeProc::new();
    assert!(folder.sweep(Strategy::Opened).reader.is_none());
    let mut sweep = folder.sweep(Strategy::Kept);
    sweep.run(0).unwrap();
    sweep.before.iter_mut().for_each(|entry| entry.kept = None);
    sweep.budget.recount(0);
    assert_eq!(sweep.begin_ahead(), None);
    assert_eq!(sweep.before.len(), PROCESSES);
}

#[test]
fn nothing_is_read_ahead_where_descriptors_are_short() {
    let folder = FakeProc::new();
    let mut sweep = folder.sweep(Strategy::Kept);
    sweep.run(0).unwrap();
    sweep.free_descriptors();
    assert!(sweep.budget.held() > 0);
    assert_eq!(sweep.begin_ahead(), None);
}
