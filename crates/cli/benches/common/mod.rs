//! What the benchmarks share: runs of the program, timed and watched from outside.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use realscope_nn::onnx::Graph;
use realscope_nn::{Cpu, Exec};

/// The program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_realscope");

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The program with arguments, saying nothing.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Median seconds of a run.
pub fn seconds_of(make: impl Fn() -> Command, times: usize) -> f64 {
    median(
        (0..times)
            .map(|_| {
                let begun = Instant::now();
                let status = make().status().expect("runs");
                assert!(status.success(), "the measured run failed: {status}");
                begun.elapsed().as_secs_f64()
            })
            .collect(),
    )
}

/// Highest resident memory in MiB of a process and of its children, sampled until it ends; the second
/// number is the highest in the first tenth of the run's samples.
pub fn memory(mut command: Command) -> (f64, f64) {
    let resident = |pid: &str| -> f64 {
        std::fs::read_to_string(format!("/proc/{pid}/status"))
            .ok()
            .and_then(|s| {
                let line = s.lines().find(|l| l.starts_with("VmRSS:"))?;
                line.split_whitespace().nth(1)?.parse::<f64>().ok()
            })
            .map_or(0.0, |kib| kib / 1024.0)
    };
    let mut child = command.spawn().expect("runs");
    let pid = child.id();
    let mut samples = Vec::new();
    let status = loop {
        if let Some(status) = child.try_wait().expect("waits") {
            break status;
        }
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let total =
            resident(&pid.to_string()) + children.split_whitespace().map(resident).sum::<f64>();
        samples.push(total);
        std::thread::sleep(Duration::from_millis(4));
    };
    // A run that failed at once would look frugal.
    assert!(status.success(), "the measured run failed: {status}");
    let highest = |list: &[f64]| list.iter().copied().fold(0.0, f64::max);
    (
        highest(&samples),
        highest(&samples[..samples.len().div_ceil(10)]),
    )
}

/// A classifier that costs nothing, so that the pipeline itself is what runs: the mean level.
fn trivial() -> Vec<u8> {
    let mut graph = Graph::new("trivial", false);
    let pictures = graph.input("x", [1, 3, 32, 32]);
    let pixels = Exec::<Cpu>::fold(&mut graph, pictures, [1, 3 * 32 * 32]);
    let mean = Exec::<Cpu>::mean_dim(&mut graph, pixels, 1);
    graph.output("logit", &mean);
    graph.encode()
}

/// Installs that classifier as `trivial`.
pub fn install_trivial(home: &Path) {
    let model = home.join("trivial.onnx");
    std::fs::write(&model, trivial()).expect("written");
    let card = home.join("card.toml");
    std::fs::write(
        &card,
        "id = \"trivial\"\nsummary = \"mean level\"\nstatus = \"preview\"\nsince = \"0.1.0\"\n\
         task = \"generated_picture\"\nengines = [\"rten\"]\nlicence = \"MIT\"\ntraining_data = \"none\"\n\
         citation = \"none\"\nknown_failures = []\n[input]\nsize = 32\nfilter = \"bilinear\"\n\
         mean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n[input.view]\nkind = \"squash\"\n\
         [[heads]]\nkind = \"binary\"\npolarity = \"generated\"\n",
    )
    .expect("written");
    install(home, "trivial", &model, &card);
}

/// Installs a network with a card.
pub fn install(home: &Path, id: &str, model: &Path, card: &Path) {
    let status = Command::new(PROGRAM)
        .args(["models", "import", id])
        .arg(model)
        .arg("--card")
        .arg(card)
        .env("REALSCOPE_HOME", home)
        .stdout(Stdio::null())
        .status()
        .expect("runs");
    assert!(status.success(), "`{id}` is installed");
}
