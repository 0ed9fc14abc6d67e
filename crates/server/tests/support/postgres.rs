//! A PostgreSQL of a test's own: a fresh cluster on a free port, gone when it is dropped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A cluster that runs.
pub struct Postgres {
    /// Address of its database.
    pub url: String,
    data: PathBuf,
    programs: PathBuf,
    _folder: tempfile::TempDir,
}

/// The folder of PostgreSQL's programs.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path().join("bin"))
        .collect();
    found.sort();
    let paths = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&paths));
    found
        .into_iter()
        .rev()
        .find(|f| f.join("initdb").is_file() && f.join("pg_ctl").is_file())
}

/// A command that runs as somebody whom PostgreSQL takes: it refuses root.
fn command(programs: &Path, name: &str) -> Command {
    let program = programs.join(name);
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout == b"0\n");
    let mut command = if root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Starts a cluster; says why where there is none.
pub fn start() -> Option<Postgres> {
    let Some(programs) = programs() else {
        eprintln!("SKIPPED on PostgreSQL: it is not installed (apt-get install postgresql)");
        return None;
    };
    let folder = tempfile::Builder::new()
        .prefix("postgres-")
        .tempdir()
        .ok()?;
    // Whoever it runs as has to reach and own its folder.
    let data = folder.path().join("data");
    let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(folder.path(), everyone).ok()?;
    let free = std::net::TcpListener::bind("127.0.0.1:0").ok()?;
    let port = free.local_addr().ok()?.port();
    drop(free);
    let made = command(&programs, "initdb")
        .args([
            "--auth=trust",
            "--username=realscope",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ])
        .arg(&data)
        .output()
        .expect("initdb runs");
    assert!(
        made.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    let options = format!(
        "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    );
    let started = command(&programs, "pg_ctl")
        .args(["-w", "-o", &options, "-l"])
        .arg(folder.path().join("log"))
        .arg("-D")
        .arg(&data)
        .arg("start")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("pg_ctl runs");
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    assert!(started.success(), "PostgreSQL does not start: {}", log());
    Some(Postgres {
        url: format!("postgres://realscope@127.0.0.1:{port}/postgres"),
        data,
        programs,
        _folder: folder,
    })
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = command(&self.programs, "pg_ctl")
            .args(["-m", "immediate", "-w", "-D"])
            .arg(&self.data)
            .arg("stop")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // Its files belong to somebody else.
        let _ = std::fs::remove_dir_all(&self.data);
    }
}
