//! Load and faults: what the service does at its capacity, at twice that, with damaged files, and when it is killed.
//!
//! ```sh
//! cargo build --release -p realscope-cli --features serve
//! cargo run --release -p realscope-server --example load -- target/release/realscope [rates] [hostile N] [kills N]
//! ```
//!
//! Each part starts the program with a data folder of its own, drives it on loopback, and prints rows of a table. Exit code
//! 1 says that something was lost, ended twice, hung or answered with a fault of the service.

mod client;
mod hostile;
mod kills;
mod rates;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(program) = args.next().map(PathBuf::from) else {
        eprintln!("usage: load PROGRAM [rates] [hostile N] [kills N]");
        return ExitCode::from(2);
    };
    let rest: Vec<String> = args.collect();
    let number = |name: &str, usual: usize| -> Option<usize> {
        let at = rest.iter().position(|a| a == name)?;
        Some(
            rest.get(at + 1)
                .and_then(|n| n.parse().ok())
                .unwrap_or(usual),
        )
    };
    let all = rest.is_empty();
    let mut sound = true;
    if all || number("rates", 20).is_some() {
        sound &= rates::run(&program, number("rates", 20).unwrap_or(20));
    }
    if let Some(count) = number("hostile", 10_000).or(all.then_some(10_000)) {
        sound &= hostile::run(&program, count);
    }
    if let Some(count) = number("kills", 100).or(all.then_some(100)) {
        sound &= kills::run(&program, count);
    }
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}
