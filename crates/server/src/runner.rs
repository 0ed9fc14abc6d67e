//! Takes jobs from the queue and leads each through the scanner. Files are decoded in the scanner's worker processes; one
//! that crashes costs the job an attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use realscope::lane::DecodeError;
use realscope::record::{ErrorCode, Record};
use realscope::scanner::{Live, Scanned};
use realscope::{Cancel, Options, ScanError, Scanner, Source};
use realscope_media::{Format, MediaError};
use tracing::Instrument as _;

use crate::app::Shared;
use crate::cases;
use crate::hub::News;
use crate::pictures::{self, Picture};
use crate::settings::seconds;
use crate::state::jobs::{End, Finding, Job, Wish};
use crate::state::{StateError, new_id};
use crate::store::{Lent, StoreError};
use crate::submit::PARTS;
use crate::traces;

/// How often the queue is looked at for jobs of other servers and those that were put off.
const LOOK: Duration = Duration::from_secs(1);
/// Every so many claims the oldest job is taken, whether someone waits for it or not, so that none waits for ever.
const FAIR: u64 = 4;
/// Pause ahead of a second attempt, in milliseconds; it doubles with every further one.
const AGAIN: i64 = 200;
/// Pause where the service itself is the cause, in milliseconds: a full disk, no process to be had.
const LATER: i64 = 5_000;

/// Takes jobs until the service stops.
pub(crate) async fn run(app: Shared, claims: Arc<AtomicU64>) {
    let lease = milliseconds(app.settings.lease_seconds);
    while !app.stops() {
        let accepted = app.hub.accepted.notified();
        // A job is not taken that cannot be begun.
        if app.scanner().is_err() {
            let _ = tokio::time::timeout(LOOK / 4, accepted).await;
            continue;
        }
        let fair = claims.fetch_add(1, Ordering::Relaxed) % FAIR == FAIR - 1;
        match app.state.claim(lease, fair).await {
            Ok(Some(job)) => {
                // Another may wait, too.
                app.hub.accepted.notify_one();
                let span = tracing::info_span!("job", id = job.id, attempt = job.attempt);
                one(&app, job, lease).instrument(span).await;
            }
            Ok(None) => {
                let _ = tokio::time::timeout(LOOK, accepted).await;
            }
            Err(e) => {
                tracing::error!(error = %e, "the queue cannot be read");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

fn milliseconds(value: f64) -> i64 {
    i64::try_from(seconds(value).as_millis()).unwrap_or(i64::MAX / 4)
}

/// What became of an attempt.
enum Outcome {
    End(End),
    /// The file may be the cause; worth another attempt.
    Again(String, String),
    /// The service is the cause; tried again later, which costs no attempt.
    Later(String),
    /// Nobody wants it any more, or the service stops.
    Dropped,
}

/// Leads one job to its end.
async fn one(app: &Shared, job: Job, lease: i64) {
    let begun = Instant::now();
    let cancel = app.hub.running(&job.id);
    app.hub.tell(&job.id, News::State(Box::new(job.clone())));
    if job.attempt == 1 {
        let waited = crate::state::now().saturating_sub(job.created).max(0) as f64;
        app.metrics.stage("queue", waited / 1e3);
    }
    let outcome = {
        let held = hold(app, &job, lease, &cancel);
        let worked = attempt(app, &job, &cancel);
        tokio::pin!(held, worked);
        tokio::select! {
            outcome = &mut worked => outcome,
            // The claim is lost: the scan ends soon, and what it gives counts for nothing.
            () = &mut held => worked.await,
        }
    };
    app.hub.left(&job.id);
    let concluded = conclude(app, &job, outcome).instrument(tracing::info_span!("record"));
    if let Err(e) = concluded.await {
        // The lease runs out, and the job is done again.
        tracing::error!(job = job.id, error = %e, "the end of a job cannot be written");
    }
    app.metrics.stage("total", begun.elapsed().as_secs_f64());
}

/// Holds the claim for as long as it is polled; ends, and gives the scan up, when it is lost.
async fn hold(app: &Shared, job: &Job, lease: i64, cancel: &Cancel) {
    let every = Duration::from_millis(u64::try_from(lease / 3).unwrap_or(1000).max(50));
    loop {
        tokio::time::sleep(every).await;
        match app.state.extend(&job.id, job.fence, lease).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(
                    job = job.id,
                    "the job was cancelled or went to another server"
                );
                cancel.cancel();
                return;
            }
            Err(e) => {
                tracing::error!(job = job.id, error = %e, "the claim on a job cannot be held")
            }
        }
    }
}

async fn conclude(app: &Shared, job: &Job, outcome: Outcome) -> Result<(), StateError> {
    let end = match outcome {
        Outcome::End(end) => Some(end),
        Outcome::Again(code, message) => {
            let crashes = job.attempt;
            if crashes < i64::from(app.settings.attempts) {
                let delay = AGAIN << crashes.clamp(0, 8);
                app.state.release(&job.id, job.fence, delay, true).await?;
                app.metrics.job("again");
                tracing::warn!(
                    job = job.id,
                    code,
                    lost_servers = job.losses,
                    "an attempt failed, another follows"
                );
                return Ok(());
            }
            Some(End::Failed(code, message))
        }
        Outcome::Later(reason) => {
            tracing::error!(job = job.id, reason, "the job is put off");
            app.state.release(&job.id, job.fence, LATER, false).await?;
            app.metrics.job("put_off");
            return Ok(());
        }
        Outcome::Dropped => None,
    };
    let Some(end) = end else {
        // Of a cancelled job nothing is left to release.
        if app.state.release(&job.id, job.fence, 0, false).await? {
            tracing::info!(job = job.id, "put back for the next start");
        }
        return Ok(());
    };
    let Some(done) = app.state.finish(job, &end).await? else {
        tracing::warn!(
            job = job.id,
            "the job was lost meanwhile: its result is not recorded"
        );
        if let End::Report(found) = &end {
            discard(app, &found.report).await;
        }
        return Ok(());
    };
    match &end {
        End::Report(found) => {
            if done.report.as_deref() != Some(found.report.as_str()) {
                discard(app, &found.report).await;
            }
            app.metrics.verdict(
                found.verdict.as_deref().unwrap_or("none"),
                found.probability,
            );
        }
        End::Failed(code, _) => app.metrics.reject(code),
    }
    app.metrics.job(done.state.word());
    tracing::info!(
        job = done.id,
        state = done.state.word(),
        verdict = done.verdict,
        "ended"
    );
    app.hub.ended(&done);
    if done.webhook.is_some() {
        app.hub.webhooks.notify_one();
    }
    if app.settings.no_store
        && let Some(place) = app.state.drop_one(&done.sha256, done.created, true).await?
    {
        let _ = app.store.delete(&place).await;
    }
    Ok(())
}

/// Drops the pictures of a report that was not recorded.
async fn discard(app: &Shared, report: &str) {
    if let Err(e) = app.store.delete_report(report).await {
        tracing::warn!(error = %e, "pictures of a report that was not recorded stay");
    }
}

/// One attempt: reads the media, scans them, stores the pictures.
async fn attempt(app: &Shared, job: &Job, cancel: &Cancel) -> Outcome {
    let scanner = match app.scanner() {
        Ok(scanner) => scanner.clone(),
        Err(problem) => return Outcome::Later(problem.detail.clone()),
    };
    let begun = Instant::now();
    let media = media(app, job).instrument(tracing::info_span!("read"));
    let media = match media.await {
        Ok(media) => media,
        Err(StoreError::Gone) => {
            let sentence = "the file is not kept any more".to_owned();
            return Outcome::End(End::Failed("internal".into(), sentence));
        }
        Err(e) => return Outcome::Later(e.to_string()),
    };
    app.metrics.stage("read", begun.elapsed().as_secs_f64());
    let span = tracing::info_span!("scan");
    let task = {
        let own = span.clone();
        let (app, job, cancel, scanner) = (
            Arc::clone(app),
            job.clone(),
            cancel.clone(),
            scanner.clone(),
        );
        tokio::task::spawn_blocking(move || {
            own.in_scope(|| scan(&app, &scanner, &job, media, cancel))
        })
    };
    let (scanned, drawn) = match task.await {
        Ok(Ok(done)) => done,
        Ok(Err(ScanError::Cancelled)) => return Outcome::Dropped,
        Ok(Err(e)) if cancel.is_cancelled() => {
            tracing::debug!(error = %e, "a cancelled scan failed");
            return Outcome::Dropped;
        }
        Ok(Err(e)) => return failed(&e),
        // A panic of this thread is no fault of the file's decoder, but may be the file's doing.
        Err(e) => return Outcome::Again("internal".into(), e.to_string()),
    };
    for (stage, value) in &scanned.timing_ms {
        if stage != "total" {
            app.metrics.stage(stage, value / 1e3);
        }
        traces::note(&span, format!("stage.{stage}_ms"), *value);
    }
    drop(span);
    let begun = Instant::now();
    let report = new_id();
    let stored = store(app, &report, drawn).instrument(tracing::info_span!("store"));
    let names = match stored.await {
        Ok(names) => names,
        Err(e) => {
            discard(app, &report).await;
            return Outcome::Later(e.to_string());
        }
    };
    app.metrics.stage("store", begun.elapsed().as_secs_f64());
    finding(app, &scanner, &job.wish, report, &scanned, names)
}

/// Stores the pictures of a report; their names.
async fn store(app: &Shared, report: &str, drawn: Vec<Picture>) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for picture in drawn {
        let place = format!("reports/{report}/{}", picture.name);
        app.store.put(&place, picture.bytes).await?;
        names.push(picture.name.to_owned());
    }
    Ok(names)
}

fn finding(
    app: &Shared,
    scanner: &Scanner,
    wish: &Wish,
    report: String,
    record: &Record,
    pictures: Vec<String>,
) -> Outcome {
    match serde_json::to_string(record) {
        Ok(text) => Outcome::End(End::Report(Box::new(Finding {
            report,
            config: app.config(scanner, wish),
            record: text,
            pictures,
            verdict: record.verdict.map(|v| v.word().to_owned()),
            probability: record.probability,
            declared: record
                .provenance
                .as_ref()
                .map(|p| p.declared.word().to_owned()),
        }))),
        Err(e) => Outcome::End(End::Failed("internal".into(), e.to_string())),
    }
}

fn failed(e: &ScanError) -> Outcome {
    if let ScanError::Decode(DecodeError::Media(MediaError::Parts { parts, .. })) = e {
        let sentence = format!(
            "the file holds pictures of which one is to be named (`part`): {}",
            parts.join("; ")
        );
        return Outcome::End(End::Failed(PARTS.into(), sentence));
    }
    let code = e.code();
    let (word, sentence) = (code.word().to_owned(), e.to_string());
    match code {
        ErrorCode::WorkerCrashed => Outcome::Again(word, sentence),
        ErrorCode::WorkerUnavailable | ErrorCode::Busy => Outcome::Later(sentence),
        ErrorCode::Cancelled => Outcome::Dropped,
        _ => Outcome::End(End::Failed(word, sentence)),
    }
}

/// What is scanned.
enum Media {
    Bytes(axum::body::Bytes),
    File(Lent),
}

async fn media(app: &Shared, job: &Job) -> Result<Media, StoreError> {
    Ok(if job.video {
        Media::File(app.store.file(&job.location).await?)
    } else {
        Media::Bytes(app.store.read(&job.location).await?)
    })
}

/// Scans, on a thread that may wait.
fn scan(
    app: &Shared,
    scanner: &Scanner,
    job: &Job,
    media: Media,
    cancel: Cancel,
) -> Result<(Record, Vec<Picture>), ScanError> {
    let (hub, id) = (Arc::clone(app), job.id.clone());
    let live = Live::new(move |progress| {
        hub.hub
            .tell(&id, News::Frame(Box::new(progress.frame.clone())))
    });
    let options = Options {
        path: job.name.clone(),
        allow_truncated: job.wish.allow_truncated,
        part: job.wish.part.clone(),
        trust: app.trust.clone(),
        max_fpr: job.wish.max_fpr,
        draw: job.wish.draw,
        deadline: seconds(app.settings.deadline),
        video_deadline: seconds(app.settings.video_deadline),
        cancel,
        live: Some(live),
        ..Options::default()
    };
    let scanned = match &media {
        Media::File(lent) => scanner.scan(Source::File(lent.path()), &options)?,
        Media::Bytes(bytes) => still(app, scanner, job, bytes, &options)?,
    };
    let drawn = if job.wish.draw {
        let mut drawn = pictures::of(&scanned);
        if let Ok(loaded) = app.loaded() {
            drawn.extend(cases::of(app, loaded, &options, &scanned));
        }
        drawn
    } else {
        Vec::new()
    };
    Ok((scanned.record, drawn))
}

/// Scans a picture; tells whoever waits when it is too large to wait for.
fn still(
    app: &Shared,
    scanner: &Scanner,
    job: &Job,
    bytes: &[u8],
    options: &Options,
) -> Result<Scanned, ScanError> {
    let begun = Instant::now();
    let decoded = scanner.decode(bytes, options)?;
    let decoding = begun.elapsed();
    let facts = &decoded.facts;
    let moves = facts.animated && matches!(facts.format, Format::Gif | Format::Png | Format::Webp);
    let large = u64::from(facts.width) * u64::from(facts.height) > app.settings.sync_pixels;
    if moves || large {
        app.hub.tell(&job.id, News::Large);
    }
    if moves {
        // It is read again, frame by frame, and has a video's time.
        return scanner.scan(Source::Bytes(bytes), options);
    }
    let mut scanned = scanner.scan(Source::Decoded(&decoded, &job.sha256), options)?;
    let timing = &mut scanned.record.timing_ms;
    timing.insert("decode".into(), decoding.as_secs_f64() * 1e3);
    timing
        .entry("total".into())
        .and_modify(|t| *t += decoding.as_secs_f64() * 1e3);
    Ok(scanned)
}
