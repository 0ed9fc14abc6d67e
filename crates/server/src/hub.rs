//! News of jobs within this process: who waits for a job is told at once. Jobs of other servers are looked up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use realscope::Cancel;
use realscope::record::FrameScore;
use tokio::sync::{Notify, broadcast};

use crate::state::jobs::Job;

/// News that one listener may be behind.
const BEHIND: usize = 256;
/// Listened jobs above which those that nobody listens to are dropped.
const MANY: usize = 1024;

/// What happens to a job.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// It stands elsewhere.
    State(Box<Job>),
    /// A frame of a video was scored.
    Frame(Box<FrameScore>),
    /// It takes longer than a request should wait: a large picture or an animation.
    Large,
    /// The service stops: what waits goes on at its next start, and `now` what runs, too.
    Stopping {
        /// Whether running jobs are given up.
        now: bool,
    },
}

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    listened: Mutex<HashMap<String, broadcast::Sender<News>>>,
    running: Mutex<HashMap<String, Cancel>>,
    /// Woken when a job was accepted.
    pub(crate) accepted: Notify,
    /// Woken when a webhook is to be sent.
    pub(crate) webhooks: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// Listens to a job; to be called ahead of looking where it stands.
    pub(crate) fn listen(&self, job: &str) -> broadcast::Receiver<News> {
        let mut listened = lock(&self.listened);
        if listened.len() > MANY {
            listened.retain(|_, sender| sender.receiver_count() > 0);
        }
        listened
            .entry(job.to_owned())
            .or_insert_with(|| broadcast::channel(BEHIND).0)
            .subscribe()
    }

    /// Tells whoever listens.
    pub(crate) fn tell(&self, job: &str, news: News) {
        if let Some(sender) = lock(&self.listened).get(job) {
            let _ = sender.send(news);
        }
    }

    /// Tells that a job has ended.
    pub(crate) fn ended(&self, job: &Job) {
        if let Some(sender) = lock(&self.listened).remove(&job.id) {
            let _ = sender.send(News::State(Box::new(job.clone())));
        }
    }

    /// Tells everybody that the service stops.
    pub(crate) fn stopping(&self, now: bool) {
        for sender in lock(&self.listened).values() {
            let _ = sender.send(News::Stopping { now });
        }
    }

    /// A job is being scanned here.
    pub(crate) fn running(&self, job: &str) -> Cancel {
        let cancel = Cancel::default();
        lock(&self.running).insert(job.to_owned(), cancel.clone());
        cancel
    }

    /// It no longer is.
    pub(crate) fn left(&self, job: &str) {
        lock(&self.running).remove(job);
    }

    /// Gives up a job that is being scanned here.
    pub(crate) fn cancel(&self, job: &str) {
        if let Some(cancel) = lock(&self.running).get(job) {
            cancel.cancel();
        }
    }

    /// Gives up all that is being scanned here.
    pub(crate) fn cancel_all(&self) {
        for cancel in lock(&self.running).values() {
            cancel.cancel();
        }
    }

    /// Jobs being scanned here.
    pub(crate) fn count(&self) -> usize {
        lock(&self.running).len()
    }
}
