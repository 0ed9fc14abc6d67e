//! The state by what it promises, on SQLite and on a real PostgreSQL.

use std::time::Duration;

use super::feedback::Remark;
use super::jobs::{End, Filter, Finding, Job, JobState, Submitted, Wish};
use super::keys::{NewKey, Scope};
use super::{State, new_id, now};
use crate::settings::Settings;

#[path = "../../tests/support/postgres.rs"]
mod postgres;

const LEASE: i64 = 60_000;

fn job(owner: &str, name: &str) -> Job {
    Job {
        id: new_id(),
        owner: owner.into(),
        batch: None,
        name: name.into(),
        sha256: format!("sha-of-{name}"),
        bytes: 3,
        location: format!("media/{name}"),
        video: false,
        wish: Wish {
            max_fpr: Some(0.01),
            ..Wish::default()
        },
        interactive: false,
        state: JobState::Queued,
        attempt: 0,
        losses: 0,
        fence: 0,
        created: now(),
        started: None,
        finished: None,
        cached: false,
        report: None,
        verdict: None,
        probability: None,
        declared: None,
        error: None,
        webhook: None,
    }
}

fn finding(config: &str) -> End {
    End::Report(Box::new(Finding {
        report: new_id(),
        config: config.into(),
        record: "{}".into(),
        pictures: vec!["map.png".into()],
        verdict: Some("generated".into()),
        probability: Some(0.75),
        declared: Some("none".into()),
    }))
}

async fn accept(state: &State, job: &Job) {
    state
        .note_media(&job.sha256, &job.location, job.bytes, now())
        .await
        .expect("noted");
    assert_eq!(
        state.submit(job, None).await.expect("submitted"),
        Submitted::New
    );
}

async fn claim(state: &State) -> Job {
    state
        .claim(LEASE, false)
        .await
        .expect("claims")
        .expect("a job")
}

async fn a_lost_claim_changes_nothing(state: &State) {
    let given = job("o", "fenced");
    accept(state, &given).await;
    let first = state.claim(1, false).await.expect("claims").expect("a job");
    assert_eq!(
        (first.state, first.attempt, first.wish.max_fpr),
        (JobState::Running, 1, Some(0.01))
    );
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(state.recover(false).await.expect("recovers"), 1);
    let second = claim(state).await;
    assert_eq!(
        (second.id.clone(), second.losses, second.attempt),
        (first.id.clone(), 1, 1)
    );
    assert!(second.fence > first.fence);

    assert!(
        !state
            .extend(&first.id, first.fence, LEASE)
            .await
            .expect("asked")
    );
    assert!(
        !state
            .release(&first.id, first.fence, 0, true)
            .await
            .expect("asked")
    );
    assert!(
        state
            .finish(&first, &finding("c"))
            .await
            .expect("asked")
            .is_none(),
        "the claim was lost"
    );
    assert!(
        state
            .known("o", &first.sha256, "c")
            .await
            .expect("asked")
            .is_none(),
        "nothing was recorded"
    );

    let done = state
        .finish(&second, &finding("c"))
        .await
        .expect("asked")
        .expect("done");
    assert_eq!(
        (done.state, done.probability),
        (JobState::Succeeded, Some(0.75))
    );
    let again = End::Failed("corrupt".into(), "late".into());
    assert!(
        state
            .finish(&second, &again)
            .await
            .expect("asked")
            .is_none(),
        "a second end is none"
    );
    let kept = state
        .job(&given.id, "o")
        .await
        .expect("asked")
        .expect("there");
    assert_eq!(
        (kept.state, kept.error, kept.report),
        (JobState::Succeeded, None, done.report.clone())
    );
    assert!(
        state
            .job(&given.id, "another")
            .await
            .expect("asked")
            .is_none()
    );
    let report = state
        .report(&done.report.expect("a report"), "o")
        .await
        .expect("asked")
        .expect("there");
    assert_eq!(report.pictures, ["map.png"]);
}

async fn each_job_goes_to_one(state: &State) {
    let mut given = Vec::new();
    for i in 0..24 {
        let job = job("o", &format!("many-{i}"));
        accept(state, &job).await;
        given.push(job.id);
    }
    let tasks = (0..8).map(|_| {
        let state = state.clone();
        tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Some(job) = state.claim(LEASE, false).await.expect("claims") {
                taken.push(job.id.clone());
                state
                    .finish(&job, &finding("c"))
                    .await
                    .expect("asked")
                    .expect("done");
            }
            taken
        })
    });
    let mut taken = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        taken.extend(task.await.expect("ends"));
    }
    taken.sort();
    given.sort();
    assert_eq!(taken, given);
}

async fn whoever_waits_comes_first(state: &State) {
    let patient = job("o", "patient");
    let urgent = Job {
        interactive: true,
        ..job("o", "urgent")
    };
    accept(state, &patient).await;
    accept(state, &urgent).await;
    assert_eq!(state.background().await.expect("counts"), 1);
    let first = claim(state).await;
    assert_eq!(first.id, urgent.id);
    assert!(
        state
            .release(&first.id, first.fence, 0, false)
            .await
            .expect("released")
    );
    let oldest = state
        .claim(LEASE, true)
        .await
        .expect("claims")
        .expect("a job");
    assert_eq!(oldest.id, patient.id, "a fair claim takes the oldest");
    // What was put off does not come before its time.
    assert!(
        state
            .release(&oldest.id, oldest.fence, 60_000, true)
            .await
            .expect("released")
    );
    let next = claim(state).await;
    assert_eq!((next.id.clone(), next.attempt), (urgent.id, 1));
    assert!(state.claim(LEASE, false).await.expect("claims").is_none());
    state
        .finish(&next, &finding("c"))
        .await
        .expect("asked")
        .expect("done");
    assert!(
        state
            .cancel(&patient.id, "o")
            .await
            .expect("asked")
            .is_some()
    );
}

async fn a_key_stands_for_one_request(state: &State) {
    let first = job("o", "keyed");
    state
        .note_media(&first.sha256, &first.location, 3, now())
        .await
        .expect("noted");
    assert_eq!(
        state
            .submit(&first, Some(("k", "print")))
            .await
            .expect("asked"),
        Submitted::New
    );
    let second = job("o", "keyed");
    assert_eq!(
        state
            .submit(&second, Some(("k", "print")))
            .await
            .expect("asked"),
        Submitted::Before(first.id.clone())
    );
    assert_eq!(
        state
            .submit(&second, Some(("k", "other")))
            .await
            .expect("asked"),
        Submitted::Conflict
    );
    assert!(state.job(&second.id, "o").await.expect("asked").is_none());
    let elsewhere = Job {
        owner: "p".into(),
        ..second
    };
    assert_eq!(
        state
            .submit(&elsewhere, Some(("k", "print")))
            .await
            .expect("asked"),
        Submitted::New
    );
    let lost = Job {
        location: "media/gone".into(),
        ..job("o", "keyed")
    };
    assert_eq!(
        state.submit(&lost, None).await.expect("asked"),
        Submitted::NoMedia
    );
    for id in [&first.id, &elsewhere.id] {
        let owner = if *id == first.id { "o" } else { "p" };
        assert!(state.cancel(id, owner).await.expect("asked").is_some());
    }
    assert!(
        state.cancel(&first.id, "o").await.expect("asked").is_none(),
        "it has ended"
    );
}

async fn the_same_bytes_have_one_report(state: &State) {
    let (a, b) = (job("o", "same"), job("o", "same"));
    let other = job("p", "same");
    for job in [&a, &b, &other] {
        accept(state, job).await;
    }
    let mut reports = Vec::new();
    for _ in 0..3 {
        let held = claim(state).await;
        let done = state
            .finish(&held, &finding("c"))
            .await
            .expect("asked")
            .expect("done");
        reports.push((held.owner, done.report.expect("a report")));
    }
    let of = |owner: &str| {
        reports
            .iter()
            .filter(|(o, _)| o == owner)
            .map(|(_, r)| r.clone())
            .collect::<Vec<_>>()
    };
    let own = of("o");
    assert_eq!(own.len(), 2);
    assert_eq!(own[0], own[1]);
    assert_ne!(own[0], of("p")[0], "results are shared within one owner");
    let (_, gone) = state
        .forget(&a.id, "o")
        .await
        .expect("asked")
        .expect("forgotten");
    assert!(!gone, "another job has the report");
    let (_, gone) = state
        .forget(&b.id, "o")
        .await
        .expect("asked")
        .expect("forgotten");
    assert!(gone);
    assert!(state.report(&own[0], "o").await.expect("asked").is_none());
}

async fn a_job_that_costs_servers_fails(state: &State) {
    let given = job("o", "poison");
    accept(state, &given).await;
    let (mut rounds, mut waits) = (0, 0);
    loop {
        if let Some(held) = state.claim(LEASE, false).await.expect("claims") {
            assert_eq!(held.id, given.id);
            assert_eq!(state.recover(true).await.expect("recovers"), 1);
            rounds += 1;
            continue;
        }
        let job = state.job(&given.id, "o").await.expect("asked");
        if job.expect("there").state != JobState::Queued {
            break;
        }
        // It waits, ever longer; here no longer.
        waits += 1;
        sqlx::query("UPDATE jobs SET not_before = 0 WHERE state = 'queued'")
            .execute(&state.pool)
            .await
            .expect("hurried");
    }
    assert_eq!((rounds, waits), (11, 9));
    let end = state
        .job(&given.id, "o")
        .await
        .expect("asked")
        .expect("there");
    assert_eq!(
        (end.state, end.error.map(|e| e.0)),
        (JobState::Failed, Some("internal".into()))
    );
}

async fn the_history_is_searched(state: &State) {
    let mut ids = Vec::new();
    for name in ["Cat_1.jpg", "cat21.jpg", "dog%.mp4"] {
        let given = Job {
            video: name.ends_with("mp4"),
            ..job("h", name)
        };
        accept(state, &given).await;
        ids.push(given.id);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let names = |filter: Filter| async move {
        let found = state.history("h", &filter).await.expect("asked");
        found.into_iter().map(|j| j.name).collect::<Vec<_>>()
    };
    let all = Filter {
        limit: 10,
        ..Filter::default()
    };
    let with = |text: &str| Filter {
        text: Some(text.into()),
        ..all.clone()
    };
    assert_eq!(
        names(all.clone()).await,
        ["dog%.mp4", "cat21.jpg", "Cat_1.jpg"]
    );
    assert_eq!(names(with("CAT")).await, ["cat21.jpg", "Cat_1.jpg"]);
    assert_eq!(
        names(with("t_1")).await,
        ["Cat_1.jpg"],
        "a wildcard is a character"
    );
    assert_eq!(names(with("%")).await, ["dog%.mp4"]);
    assert_eq!(names(with("sha-of-dog")).await, ["dog%.mp4"]);
    let video = Filter {
        video: Some(true),
        ..all.clone()
    };
    assert_eq!(names(video).await, ["dog%.mp4"]);
    let second = Filter {
        after: Some(ids[2].clone()),
        limit: 1,
        ..all.clone()
    };
    assert_eq!(
        names(second).await,
        ["cat21.jpg", "Cat_1.jpg"],
        "one more says that there are more"
    );
    let none = Filter {
        state: Some(JobState::Failed),
        ..all.clone()
    };
    assert!(names(none).await.is_empty());
    let later = Filter {
        since: Some(now() + 1000),
        ..all
    };
    assert!(names(later).await.is_empty());
    for id in ids {
        state.cancel(&id, "h").await.expect("asked");
    }
}

async fn media_go_when_nobody_needs_them(state: &State) {
    let given = job("m", "media");
    accept(state, &given).await;
    let future = now() + 10_000;
    assert!(
        state
            .drop_media(future, future)
            .await
            .expect("asked")
            .iter()
            .all(|p| *p != given.location)
    );
    assert!(
        state
            .drop_one(&given.sha256, future, true)
            .await
            .expect("asked")
            .is_none(),
        "a job waits for them"
    );
    let held = claim(state).await;
    let done = state
        .finish(&held, &finding("c"))
        .await
        .expect("asked")
        .expect("done");
    assert!(
        state
            .drop_one(&given.sha256, future, false)
            .await
            .expect("asked")
            .is_none(),
        "a job has them"
    );
    let remark = Remark {
        id: new_id(),
        report: done.report.expect("a report"),
        sha256: given.sha256.clone(),
        name: "media".into(),
        verdict: Some("generated".into()),
        probability: Some(0.75),
        says: "authentic".into(),
        note: String::new(),
        created: String::new(),
    };
    state.add_remark("m", &remark, now()).await.expect("kept");
    let dropped = state.drop_media(future, future).await.expect("asked");
    assert!(
        !dropped.contains(&given.location),
        "a remark speaks of them"
    );
    assert_eq!(state.remarks(Some("m")).await.expect("asked").len(), 1);
    assert!(
        state
            .drop_remark(&remark.id, "another")
            .await
            .expect("asked")
            .is_none()
    );
    assert_eq!(
        state.drop_remark(&remark.id, "m").await.expect("asked"),
        Some(given.sha256.clone())
    );
    assert!(state.media_beyond(0).await.expect("asked").is_some());
    assert!(
        state
            .drop_media(future, future)
            .await
            .expect("asked")
            .contains(&given.location)
    );
    // The same bytes come back to a place of their own.
    let place = state
        .note_media(&given.sha256, "media/elsewhere", 3, now())
        .await
        .expect("noted");
    assert_eq!(place, "media/elsewhere");
    let place = state
        .note_media(&given.sha256, "media/late", 3, now())
        .await
        .expect("noted");
    assert_eq!(place, "media/elsewhere", "the first stands");
}

async fn keys_work_until_they_are_taken_back(state: &State) {
    assert!(!state.closed().await.expect("asked"));
    let wanted = NewKey {
        name: "desk".into(),
        owner: Some("newsroom".into()),
        scopes: vec![Scope::Scan, Scope::Read],
        rate: Some(7),
        expires_days: None,
    };
    let (text, view) = state.add_key(&wanted).await.expect("made");
    let key = state.key(&text).await.expect("asked").expect("works");
    assert_eq!(
        (key.owner.as_str(), key.rate, key.scopes),
        ("newsroom", Some(7), vec![Scope::Scan, Scope::Read])
    );
    assert!(state.closed().await.expect("asked"));
    for wrong in [
        "",
        "rs_",
        &text[..text.len() - 1],
        &format!("{text}x"),
        &text.replace("rs_", "rs_0"),
    ] {
        assert!(state.key(wrong).await.expect("asked").is_none(), "{wrong}");
    }
    let (rotated, _) = state
        .rotate_key(&view.id)
        .await
        .expect("asked")
        .expect("rotated");
    assert!(
        state.key(&text).await.expect("asked").is_none(),
        "the former secret no longer works"
    );
    assert!(state.key(&rotated).await.expect("asked").is_some());
    assert!(state.revoke_key(&view.id).await.expect("asked"));
    assert!(!state.revoke_key(&view.id).await.expect("asked"));
    assert!(state.key(&rotated).await.expect("asked").is_none());
    assert!(state.rotate_key(&view.id).await.expect("asked").is_none());
    let short = NewKey {
        expires_days: Some(1e-9),
        ..wanted
    };
    let (text, _) = state.add_key(&short).await.expect("made");
    assert!(
        state.key(&text).await.expect("asked").is_none(),
        "it has expired"
    );
    let all = state.keys().await.expect("asked");
    assert!(all.len() == 2 && all.iter().all(|k| !format!("{k:?}").contains(&rotated)));
}

async fn a_webhook_is_held_while_it_is_sent(state: &State) {
    let given = Job {
        webhook: Some("https://a.example/".into()),
        ..job("w", "hooked")
    };
    accept(state, &given).await;
    let held = claim(state).await;
    state
        .finish(&held, &finding("c"))
        .await
        .expect("asked")
        .expect("done");
    let due = state
        .due_webhook(60_000)
        .await
        .expect("asked")
        .expect("due");
    assert_eq!((due.job.as_str(), due.attempt), (given.id.as_str(), 1));
    assert!(due.body.contains("\"succeeded\""));
    assert!(
        state.due_webhook(60_000).await.expect("asked").is_none(),
        "another has it"
    );
    state.webhook_sent(&due.job, None, 0).await.expect("noted");
    let again = state
        .due_webhook(0)
        .await
        .expect("asked")
        .expect("due again");
    assert_eq!(again.attempt, 2);
    state
        .webhook_sent(&due.job, Some("200"), 0)
        .await
        .expect("noted");
    assert!(
        state.due_webhook(0).await.expect("asked").is_none(),
        "it was taken"
    );
}

async fn all(state: &State) {
    // The first, since it counts keys.
    keys_work_until_they_are_taken_back(state).await;
    a_lost_claim_changes_nothing(state).await;
    each_job_goes_to_one(state).await;
    whoever_waits_comes_first(state).await;
    a_key_stands_for_one_request(state).await;
    the_same_bytes_have_one_report(state).await;
    a_job_that_costs_servers_fails(state).await;
    the_history_is_searched(state).await;
    media_go_when_nobody_needs_them(state).await;
    a_webhook_is_held_while_it_is_sent(state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_every_promise() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        data_dir: folder.path().join("data with spaces # and %"),
        ..Settings::default()
    };
    let state = State::open(&settings).await.expect("opens");
    all(&state).await;
    state.close().await;
    let again = State::open(&settings).await.expect("opens again");
    assert_eq!(again.keys().await.expect("asked").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_every_promise() {
    let settings = Settings {
        no_store: true,
        ..Settings::default()
    };
    all(&State::open(&settings).await.expect("opens")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_keeps_every_promise() {
    let Some(postgres) = postgres::start() else {
        return;
    };
    let settings = Settings {
        database: postgres.url.clone(),
        ..Settings::default()
    };
    let state = State::open(&settings).await.expect("opens");
    all(&state).await;
    let again = State::open(&settings).await.expect("opens again");
    assert_eq!(again.keys().await.expect("asked").len(), 2);
}
