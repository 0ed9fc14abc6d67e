//! `realscope serve`.

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use realscope::{Decoding, Scanner};
use realscope_detectors::Models;
use realscope_engine::Choice;
use realscope_media::Limits;
use realscope_server::{KeyView, Loaded, NewKey, Scope, Server, Settings, StartError, State};

use crate::Failure;
use crate::args::{FeedbackCommand, KeysCommand, ScopeChoice, ServeAction, ServeArgs, TextFormat};
use crate::models::engine_kind;
use crate::scan::{detectors, launch, trust};
use crate::{config, custody};

/// Runs the command.
pub fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    let (general, settings) = settings(args)?;
    match &args.action {
        None => wait(args, &general, settings),
        Some(ServeAction::Settings) => {
            out!("{}", realscope_server::reference());
            Ok(ExitCode::SUCCESS)
        }
        Some(ServeAction::Health) => Ok(if takes_work(settings.listen) {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        }),
        Some(ServeAction::Keys(command)) => runtime()?.block_on(keys(&settings, command)),
        Some(ServeAction::Feedback(FeedbackCommand::Export { folder })) => {
            let exported =
                runtime()?.block_on(realscope_server::export_feedback(&settings, folder));
            let (written, gone) = exported.map_err(|e| Failure::new(2, e.to_string()))?;
            outln!(
                "{written} files in {}, {gone} are not kept any more",
                folder.display()
            );
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Defaults, file, environment, flags.
fn settings(args: &ServeArgs) -> Result<(config::Settings, Settings), Failure> {
    let general = config::load()?;
    let variables = std::env::vars_os()
        .filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
    let mut settings = general
        .serve
        .clone()
        .with_environment(variables)
        .map_err(|e| Failure::new(2, e.to_string()))?;
    if let Some(listen) = args.listen {
        settings.listen = listen;
    }
    if let Some(folder) = &args.data_dir {
        settings.data_dir.clone_from(folder);
    }
    if let Some(database) = &args.database {
        settings.database.clone_from(database);
    }
    if let Some(jobs) = args.jobs {
        settings.jobs = jobs;
    }
    settings.no_store |= args.no_store;
    Ok((general, settings))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(2, e.to_string()))
}

/// Whether the service at an address takes work, asked from this machine.
fn takes_work(mut address: SocketAddr) -> bool {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    let wait = Duration::from_secs(2);
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, wait)?;
        stream.set_read_timeout(Some(wait))?;
        write!(
            stream,
            "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.take(1 << 16).read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

/// Serves until the process is told to end.
fn wait(
    args: &ServeArgs,
    general: &config::Settings,
    settings: Settings,
) -> Result<ExitCode, Failure> {
    let observing = realscope_server::observe(&settings).map_err(|e| Failure::new(2, e))?;
    let profile = args.profile.unwrap_or(general.profile);
    let choice = Choice {
        kind: engine_kind(args.engine.unwrap_or(general.engine))?,
        prepack: true,
    };
    let limits = Limits {
        max_bytes: settings.max_bytes,
        max_pixels: general.max_pixels,
        ..Limits::default()
    };
    let decoding = Decoding::Processes {
        lanes: settings.lanes(),
        worker: launch()?,
    };
    let (home, detector, own) = (
        general.home.clone(),
        args.detector.clone(),
        general.detector.clone(),
    );
    let load = move || -> Result<Loaded, String> {
        let models = Models::at(&home);
        let (found, beside) = detectors(&models, detector.as_deref(), profile, &own, choice)
            .map_err(|e| e.to_string())?;
        let mut builder = Scanner::builder()
            .detector(found)
            .decoding(decoding)
            .limits(limits)
            .named(choice.kind.name(), profile.name());
        if let Some(beside) = beside {
            builder = builder.beside(beside);
        }
        Ok(Loaded {
            scanner: builder.build().map_err(|e| e.to_string())?,
            program: custody::program().map_err(|e| e.message)?,
            detector,
            settings_detector: own,
        })
    };
    let trust = trust(&args.trust, general)?;
    let models = Models::at(&general.home);
    let ended = runtime()?.block_on(async {
        // Heard from the beginning, so that no signal falls into the start.
        let told = told_to_end()?;
        let server = Server::start(settings, models, trust, load)
            .await
            .map_err(|e| start_failure(&e))?;
        outln!("listening on {}", server.address());
        told.await;
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    });
    observing.end();
    ended
}

fn start_failure(e: &StartError) -> Failure {
    Failure::new(2, e.to_string())
}

/// Ends at the first SIGINT or SIGTERM; a second one ends the process at once.
#[cfg(unix)]
fn told_to_end() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|e| Failure::new(2, e.to_string()));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            std::process::exit(130);
        });
    })
}

/// Ends when the user says so.
#[cfg(not(unix))]
fn told_to_end() -> Result<impl Future<Output = ()>, Failure> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

async fn keys(settings: &Settings, command: &KeysCommand) -> Result<ExitCode, Failure> {
    let fault = |e: realscope_server::StateError| Failure::new(2, e.to_string());
    let unknown = |id: &str| Failure::new(2, format!("there is no key `{id}` in use"));
    let state = State::open(settings).await.map_err(fault)?;
    match command {
        KeysCommand::Add {
            name,
            scope,
            owner,
            rate,
            expires_days,
        } => {
            let wanted = NewKey {
                name: name.clone(),
                owner: owner.clone(),
                scopes: scope.iter().map(|s| of(*s)).collect(),
                rate: *rate,
                expires_days: *expires_days,
            };
            wanted.check().map_err(|e| Failure::new(2, e))?;
            let (key, _) = state.add_key(&wanted).await.map_err(fault)?;
            outln!("{key}");
            eprintln!("It is not shown again.");
        }
        KeysCommand::List { format } => list(&state.keys().await.map_err(fault)?, *format)?,
        KeysCommand::Revoke { id } => {
            if !state.revoke_key(id).await.map_err(fault)? {
                return Err(unknown(id));
            }
        }
        KeysCommand::Rotate { id } => {
            let rotated = state.rotate_key(id).await.map_err(fault)?;
            let (key, _) = rotated.ok_or_else(|| unknown(id))?;
            outln!("{key}");
            eprintln!("It is not shown again.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn of(choice: ScopeChoice) -> Scope {
    match choice {
        ScopeChoice::Scan => Scope::Scan,
        ScopeChoice::Read => Scope::Read,
        ScopeChoice::Admin => Scope::Admin,
    }
}

fn list(keys: &[KeyView], format: TextFormat) -> Result<(), Failure> {
    if format == TextFormat::Json {
        let text =
            serde_json::to_string_pretty(keys).map_err(|e| Failure::new(2, e.to_string()))?;
        outln!("{text}");
        return Ok(());
    }
    for key in keys {
        let scopes: Vec<&str> = key.scopes.iter().map(|s| s.word()).collect();
        let stands = match (&key.revoked, &key.expires) {
            (Some(at), _) => format!("revoked {at}"),
            (None, Some(at)) => format!("until {at}"),
            (None, None) => "in use".into(),
        };
        let used = key.used.as_deref().unwrap_or("never");
        outln!(
            "{}  {:<20} {:<16} {stands}, last used {used}",
            key.id,
            key.name,
            scopes.join(",")
        );
    }
    Ok(())
}
