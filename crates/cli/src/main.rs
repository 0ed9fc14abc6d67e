//! The `realscope` program.

#[macro_use]
mod output;

mod args;
mod audit;
mod config;
mod custody;
#[cfg(feature = "lab")]
mod data;
#[cfg(feature = "lab")]
mod eval;
mod models;
mod scan;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "lab")]
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match args.command {
        Command::Scan(scan) => scan::run(*scan),
        Command::Audit(audit) => audit::run(&audit),
        Command::Report(report) => custody::report(&report),
        Command::VerifyReport(check) => custody::verify(&check),
        Command::Keygen { output } => custody::keygen(&output),
        Command::Models(models) => models::run(models),
        Command::Doctor { format } => models::doctor(format),
        #[cfg(feature = "lab")]
        Command::Eval(command) => eval::run(command),
        #[cfg(feature = "lab")]
        Command::Data(command) => data::run(command),
        #[cfg(feature = "lab")]
        Command::Train(train) => train::run(&train),
        #[cfg(feature = "lab")]
        Command::Calibrate(args) => train::calibrate(&args),
        #[cfg(not(feature = "lab"))]
        Command::Eval(_) | Command::Data(_) | Command::Train(_) | Command::Calibrate(_) => {
            Err(Failure::new(
                2,
                "this program scans; evaluation, data sets, training and calibration take a build with `--features lab`",
            ))
        }
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args),
        #[cfg(not(feature = "serve"))]
        Command::Serve(_) => Err(Failure::new(
            2,
            "this program was built without the HTTP service: build it with `--features serve`",
        )),
        Command::Config { action } => config::run(action),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "realscope", &mut script);
            output::write(&script);
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { command } => man(&command),
        Command::DecodeWorker { confined: true } => models::confined(),
        Command::DecodeWorker { .. } => realscope::worker::serve(realscope_media::decode)
            .map(|()| ExitCode::SUCCESS)
            .map_err(|e| Failure::new(2, e.to_string())),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn man(names: &[String]) -> Result<ExitCode, Failure> {
    let mut command = Args::command();
    command.build();
    for name in names {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| Failure::new(2, format!("unknown command `{name}`")))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|e| Failure::new(2, e.to_string()))?;
    output::write(&page);
    Ok(ExitCode::SUCCESS)
}

/// An error with its exit code.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}
