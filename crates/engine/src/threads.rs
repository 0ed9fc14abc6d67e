//! A caller's share of the cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads that runs compute with: all cores, or a few of the caller's own.
///
/// Several pictures at a time, each on a share of the cores, take less time than each in turn on all of them. ONNX
/// Runtime, which runs one picture at a time, is not concerned.
#[derive(Clone)]
pub struct Threads {
    count: usize,
    /// `None`: the process's pool of all cores.
    pool: Option<Arc<rten::ThreadPool>>,
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::all()
    }
}

impl Threads {
    /// All cores.
    #[must_use]
    pub fn all() -> Self {
        Self {
            count: std::thread::available_parallelism().map_or(1, usize::from),
            pool: None,
        }
    }

    /// `count` threads, at least one, that runs with this value share among themselves alone.
    #[must_use]
    pub fn of(count: usize) -> Self {
        let count = count.max(1);
        Self {
            count,
            pool: Some(Arc::new(rten::ThreadPool::with_num_threads(count))),
        }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn pool(&self) -> Option<Arc<rten::ThreadPool>> {
        self.pool.clone()
    }

    /// What `run` makes of each item, in order. Items go side by side, each on a share of these threads: part of a
    /// network's work stays on one core whatever the number of threads. The results are the same.
    ///
    /// # Errors
    /// The first of `run`, in the order of the items.
    pub fn side_by_side<T: Sync, R: Send, E: Send>(
        &self,
        items: &[T],
        run: impl Fn(&T, &Threads) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, E> {
        let lanes = self.count.min(items.len());
        if lanes <= 1 {
            return items.iter().map(|item| run(item, self)).collect();
        }
        let next = AtomicUsize::new(0);
        let lane = || {
            let share = Threads::of(self.count / lanes);
            let mut made = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else {
                    return made;
                };
                made.push((index, run(item, &share)));
            }
        };
        let mut made: Vec<(usize, Result<R, E>)> = std::thread::scope(|scope| {
            let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
            lanes
                .into_iter()
                .flat_map(|lane| lane.join().unwrap_or_else(|e| std::panic::resume_unwind(e)))
                .collect()
        });
        made.sort_by_key(|(index, _)| *index);
        made.into_iter().map(|(_, result)| result).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_by_side_keeps_the_order_and_the_first_error() {
        let items: Vec<usize> = (0..40).collect();
        let slow_at_first = |i: &usize, _: &Threads| {
            std::thread::sleep(std::time::Duration::from_millis(if *i < 4 {
                20
            } else {
                0
            }));
            Ok::<usize, usize>(i * i)
        };
        let squares: Vec<usize> = items.iter().map(|i| i * i).collect();
        for threads in [Threads::of(3), Threads::of(1), Threads::all()] {
            let made = threads.side_by_side(&items, slow_at_first);
            assert_eq!(made.expect("no error"), squares, "{threads:?}");
        }
        let threads = Threads::of(2);
        let odd = |i: &usize, _: &Threads| if i % 10 == 9 { Err(*i) } else { Ok(*i) };
        assert_eq!(threads.side_by_side(&items, odd), Err(9));
        let none: Result<Vec<usize>, usize> = threads.side_by_side(&[], odd);
        assert_eq!(none, Ok(vec![]));
    }
}
