//! Many items side by side, taken in order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, PoisonError};

/// Items in work and outcomes that wait for their turn.
struct State<I, R> {
    items: I,
    /// Number of the next item that is begun.
    next: usize,
    /// Number of the next outcome that is taken.
    turn: usize,
    waiting: BTreeMap<usize, R>,
    stopped: bool,
    ended: bool,
}

/// Does `work` on each item with `lanes` threads and gives the outcomes to `take`, on the calling thread, in the order of
/// the items. At most a few outcomes a lane wait for their turn, so that memory stays flat.
///
/// # Errors
/// The first of `take`; items that were not begun are left alone then.
pub(super) fn ordered<T: Send, R: Send, E>(
    lanes: usize,
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let lanes = lanes.max(1);
    let ahead = 4 * lanes;
    let state = Mutex::new(State {
        items,
        next: 0,
        turn: 0,
        waiting: BTreeMap::new(),
        stopped: false,
        ended: false,
    });
    let changed = Condvar::new();
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let wait = |guard| changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
    let lane = || {
        loop {
            let (number, item) = {
                let mut state = lock();
                while !state.stopped && !state.ended && state.next >= state.turn + ahead {
                    state = wait(state);
                }
                if state.stopped || state.ended {
                    return;
                }
                let Some(item) = state.items.next() else {
                    state.ended = true;
                    changed.notify_all();
                    return;
                };
                state.next += 1;
                (state.next - 1, item)
            };
            let outcome = catch_unwind(AssertUnwindSafe(|| work(item)));
            let outcome = outcome.unwrap_or_else(|panic| {
                // Nobody shall wait for an outcome that never comes.
                lock().stopped = true;
                changed.notify_all();
                resume_unwind(panic)
            });
            lock().waiting.insert(number, outcome);
            changed.notify_all();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(lane);
        }
        loop {
            let outcome = {
                let mut state = lock();
                loop {
                    let turn = state.turn;
                    if let Some(outcome) = state.waiting.remove(&turn) {
                        state.turn += 1;
                        break outcome;
                    }
                    if state.stopped || (state.ended && turn == state.next) {
                        return Ok(());
                    }
                    state = wait(state);
                }
            };
            changed.notify_all();
            if let Err(e) = take(outcome) {
                lock().stopped = true;
                changed.notify_all();
                return Err(e);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn outcomes_come_in_order_and_an_error_stops() {
        for lanes in [1, 3] {
            let mut taken = Vec::new();
            let slow_first = |i: u64| {
                std::thread::sleep(Duration::from_millis(if i == 0 { 30 } else { 0 }));
                i * i
            };
            let done: Result<(), ()> = ordered(lanes, 0..50, slow_first, |i| {
                taken.push(i);
                Ok(())
            });
            assert_eq!(done, Ok(()));
            assert_eq!(taken, (0..50).map(|i| i * i).collect::<Vec<u64>>());
        }
        let begun = AtomicUsize::new(0);
        let work = |i: usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            i
        };
        let outcome = ordered(2, 0..1000, work, |i| if i < 5 { Ok(()) } else { Err(i) });
        assert_eq!(outcome, Err(5));
        assert!(begun.load(Ordering::Relaxed) < 30, "it does not run ahead");
        let none: Result<(), ()> = ordered(2, 0..0, |i: u8| i, |_| Err(()));
        assert_eq!(none, Ok(()));
    }
}
