//! What Prometheus asks for. Every name begins with `realscope_`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// One label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct What {
    what: String,
}

/// A request by its route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) route: String,
    pub(crate) status: u16,
}

type Seconds = Family<What, Histogram, fn() -> Histogram>;

/// All measures.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Asked, Counter>,
    request_seconds: Seconds,
    stage_seconds: Seconds,
    verdicts: Family<What, Counter>,
    rejects: Family<What, Counter>,
    jobs: Family<What, Counter>,
    shed: Family<What, Counter>,
    webhooks: Family<What, Counter>,
    depth: Family<What, Gauge>,
    score: Histogram,
    memory: Gauge,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// From a millisecond to a minute.
fn times() -> Histogram {
    Histogram::new([
        0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0,
    ])
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("realscope");
        let metrics = Self {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(times as fn() -> Histogram),
            stage_seconds: Family::new_with_constructor(times as fn() -> Histogram),
            verdicts: Family::default(),
            rejects: Family::default(),
            jobs: Family::default(),
            shed: Family::default(),
            webhooks: Family::default(),
            depth: Family::default(),
            score: Histogram::new((1..20).map(|i| f64::from(i) / 20.0)),
            memory: Gauge::default(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register(
            "requests",
            "Requests by method, route and status",
            metrics.requests.clone(),
        );
        r.register(
            "request_seconds",
            "Time to the answer, by route",
            metrics.request_seconds.clone(),
        );
        r.register(
            "stage_seconds",
            "Time of each stage of a job",
            metrics.stage_seconds.clone(),
        );
        r.register("verdicts", "Reports by verdict", metrics.verdicts.clone());
        r.register(
            "rejects",
            "Files without a verdict, by reason",
            metrics.rejects.clone(),
        );
        r.register(
            "jobs",
            "Jobs by their end, and attempts that were repeated",
            metrics.jobs.clone(),
        );
        r.register(
            "shed",
            "Requests refused because too much was going on, by reason",
            metrics.shed.clone(),
        );
        r.register(
            "webhooks",
            "Webhooks by outcome of an attempt",
            metrics.webhooks.clone(),
        );
        r.register(
            "depth",
            "Jobs that are queued or running, and requests that wait for the detector",
            metrics.depth.clone(),
        );
        r.register(
            "score",
            "Probabilities of reports; a drift shows here",
            metrics.score.clone(),
        );
        r.register(
            "resident_memory_bytes",
            "Memory of this process, without its decoding workers",
            metrics.memory.clone(),
        );
        Self {
            registry,
            ..metrics
        }
    }

    fn of(what: &str) -> What {
        What {
            what: what.to_owned(),
        }
    }

    pub(crate) fn request(&self, asked: Asked, seconds: f64) {
        let route = Self::of(&asked.route);
        self.requests.get_or_create(&asked).inc();
        self.request_seconds.get_or_create(&route).observe(seconds);
    }

    pub(crate) fn stage(&self, name: &str, seconds: f64) {
        self.stage_seconds
            .get_or_create(&Self::of(name))
            .observe(seconds);
    }

    pub(crate) fn verdict(&self, word: &str, probability: Option<f64>) {
        self.verdicts.get_or_create(&Self::of(word)).inc();
        if let Some(p) = probability {
            self.score.observe(p);
        }
    }

    pub(crate) fn reject(&self, code: &str) {
        self.rejects.get_or_create(&Self::of(code)).inc();
    }

    pub(crate) fn job(&self, end: &str) {
        self.jobs.get_or_create(&Self::of(end)).inc();
    }

    pub(crate) fn shed(&self, reason: &str) {
        self.shed.get_or_create(&Self::of(reason)).inc();
    }

    pub(crate) fn webhook(&self, outcome: &str) {
        self.webhooks.get_or_create(&Self::of(outcome)).inc();
    }

    pub(crate) fn depth(&self, kind: &str, count: i64) {
        self.depth.get_or_create(&Self::of(kind)).set(count);
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        self.memory.set(resident());
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Memory of this process in bytes; 0 where the system does not tell.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<i64>().ok())
        .map_or(0, |kib| kib * 1024)
}
