//! The bounded queue between requests and a detector: samples of several pictures go through it together.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use realscope_detectors::{Answer, Detector, DetectorError, Sample};
use realscope_engine::Threads;

use super::ScanError;
use crate::cancel::Cancel;

/// Most samples that are handed to a detector at once.
const BATCH: usize = 32;
/// How often a waiting request looks whether it was cancelled.
const TICK: Duration = Duration::from_millis(50);

type Reply = Result<Vec<Answer>, DetectorError>;

struct Request {
    detector: Arc<dyn Detector>,
    samples: Vec<Sample>,
    until: Instant,
    cancel: Cancel,
    reply: mpsc::Sender<Reply>,
}

impl Request {
    /// Nobody waits for it any more.
    fn is_dead(&self) -> bool {
        self.cancel.is_cancelled() || Instant::now() >= self.until
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Request>,
    closed: bool,
}

struct Shared {
    state: Mutex<State>,
    capacity: usize,
    arrived: Condvar,
    taken: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next requests for one detector, as many as a batch holds; `None` when the queue is closed and empty.
    fn next(&self) -> Option<Vec<Request>> {
        let mut state = self.lock();
        loop {
            state.waiting.retain(|r| !r.is_dead());
            if let Some(first) = state.waiting.pop_front() {
                let mut size = first.samples.len();
                let mut batch = vec![first];
                while let Some(next) = state.waiting.front() {
                    let same = Arc::ptr_eq(&next.detector, &batch[0].detector);
                    if !same || size + next.samples.len() > BATCH {
                        break;
                    }
                    size += next.samples.len();
                    batch.extend(state.waiting.pop_front());
                }
                self.taken.notify_all();
                return Some(batch);
            }
            if state.closed {
                return None;
            }
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What a request does when the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It waits for room until its deadline.
    #[default]
    Wait,
    /// It fails at once with [`ScanError::Busy`].
    Refuse,
}

/// The queue and the thread that serves it.
pub(super) struct Queue {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    pub(super) fn new(capacity: usize, threads: Threads) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            capacity: capacity.max(1),
            arrived: Condvar::new(),
            taken: Condvar::new(),
        });
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("scoring".into())
            .spawn(move || {
                while let Some(batch) = served.next() {
                    serve(batch, &threads);
                }
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Requests that wait.
    pub(super) fn len(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// The answers of `detector` on `samples`, in order.
    pub(super) fn infer(
        &self,
        detector: &Arc<dyn Detector>,
        samples: Vec<Sample>,
        until: Instant,
        cancel: &Cancel,
        when_full: WhenFull,
    ) -> Result<Vec<Answer>, ScanError> {
        let (reply, answer) = mpsc::channel();
        let request = Request {
            detector: Arc::clone(detector),
            samples,
            until,
            cancel: cancel.clone(),
            reply,
        };
        let mut state = self.shared.lock();
        while state.waiting.len() >= self.shared.capacity {
            give_up(until, cancel)?;
            if when_full == WhenFull::Refuse {
                return Err(ScanError::Busy {
                    waiting: state.waiting.len(),
                });
            }
            let woken = self.shared.taken.wait_timeout(state, TICK);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting.push_back(request);
        drop(state);
        self.shared.arrived.notify_one();
        loop {
            match answer.recv_timeout(TICK) {
                Ok(reply) => return Ok(reply?),
                Err(RecvTimeoutError::Timeout) => give_up(until, cancel)?,
                // Dropped unanswered: it was dead when its turn came.
                Err(RecvTimeoutError::Disconnected) => {
                    give_up(until, cancel)?;
                    return Err(ScanError::Detector(DetectorError::Corrupt {
                        id: detector.card().id.clone(),
                        reason: "the scoring thread ended".into(),
                    }));
                }
            }
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An error when nobody should wait any longer.
fn give_up(until: Instant, cancel: &Cancel) -> Result<(), ScanError> {
    if cancel.is_cancelled() {
        return Err(ScanError::Cancelled);
    }
    if Instant::now() >= until {
        return Err(ScanError::Deadline);
    }
    Ok(())
}

/// Answers the requests of one batch; an error of the whole batch costs only those that cause it.
fn serve(batch: Vec<Request>, threads: &Threads) {
    let detector = Arc::clone(&batch[0].detector);
    let mut samples = Vec::new();
    let mut asked = Vec::with_capacity(batch.len());
    for request in batch {
        asked.push((request.samples.len(), request.reply));
        samples.extend(request.samples);
    }
    let infer = |samples: &[Sample]| {
        // A panic in an engine must not end the thread that all requests wait for.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            detector.infer(samples, threads)
        }))
        .unwrap_or_else(|_| {
            Err(DetectorError::Corrupt {
                id: detector.card().id.clone(),
                reason: "inference panicked".into(),
            })
        })
    };
    let all = infer(&samples);
    let alone = asked.len() == 1;
    let mut answers = all.as_ref().map(|a| a.clone().into_iter());
    let mut rest = samples.as_slice();
    for (count, reply) in asked {
        let (own, others) = rest.split_at(count);
        rest = others;
        let made = match &mut answers {
            Ok(answers) => Ok(answers.by_ref().take(count).collect()),
            Err(e) if alone => Err((*e).clone()),
            Err(_) => infer(own),
        };
        // Who gave up meanwhile does not listen.
        let _ = reply.send(made);
    }
}
