//! Pinned files from a hub of our own on loopback.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use realscope_detectors::catalog::CATALOG;
use realscope_detectors::models::ImportError;
use realscope_detectors::network::sha256;
use realscope_detectors::pull::{Hub, PullError, Source};
use realscope_detectors::{DetectorError, Models};

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub with one file.
struct Server {
    address: String,
    /// Bytes after which an answer of the whole file breaks off.
    cut: Arc<AtomicUsize>,
    /// Start of every range that was asked for.
    asked: Arc<Mutex<Vec<usize>>>,
}

fn content() -> Vec<u8> {
    (0..100_000_u32).map(|i| (i * 7 % 251) as u8).collect()
}

fn answer(mut stream: TcpStream, body: &[u8], cut: &AtomicUsize, asked: &Mutex<Vec<usize>>) {
    let mut range = None;
    for line in BufReader::new(&stream).lines() {
        let Ok(line) = line else { return };
        if line.is_empty() {
            break;
        }
        if let Some(bytes) = line.to_lowercase().strip_prefix("range: bytes=") {
            let (from, to) = bytes.split_once('-').expect("range");
            range = Some((
                from.parse::<usize>().expect("start"),
                to.parse::<usize>().ok(),
            ));
        }
    }
    let (from, to) = range.expect("the client asks for ranges");
    let to = to.unwrap_or(body.len() - 1);
    let part = &body[from..=to];
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nx-repo-commit: {REVISION}\r\netag: \"blob\"\r\n\
         content-range: bytes {from}-{to}/{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len(),
        part.len()
    );
    let send = if part.len() > 1 {
        asked.lock().expect("lock").push(from);
        part.len().min(cut.swap(usize::MAX, Ordering::SeqCst))
    } else {
        part.len()
    };
    // A client that hangs up is no failure of the hub.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&part[..send]);
}

fn serve(body: Vec<u8>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let server = Server {
        address: format!("http://{}", listener.local_addr().expect("address")),
        cut: Arc::new(AtomicUsize::new(usize::MAX)),
        asked: Arc::default(),
    };
    let (cut, asked) = (server.cut.clone(), server.asked.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &body, &cut, &asked);
        }
    });
    server
}

fn source() -> Source {
    Source {
        repo: "owner/name".into(),
        revision: REVISION.into(),
        file: "model.safetensors".into(),
        sha256: Some(sha256(&content())),
    }
}

fn hub(server: Option<&Server>, cache: &tempfile::TempDir) -> Hub {
    Hub {
        endpoint: Some(server.map_or("http://127.0.0.1:1".into(), |s| s.address.clone())),
        cache: Some(cache.path().to_owned()),
        offline: server.is_none(),
        progress: false,
    }
}

#[test]
fn a_file_is_fetched_once_and_then_found_offline() {
    let cache = tempfile::tempdir().expect("folder");
    let server = serve(content());
    let path = source()
        .fetch(&hub(Some(&server), &cache))
        .expect("fetched");
    assert_eq!(std::fs::read(&path).expect("file"), content());
    let again = source().fetch(&hub(None, &cache)).expect("cached");
    assert_eq!(again, path);
    assert_eq!(server.asked.lock().expect("lock").len(), 1);
}

#[test]
fn another_file_than_the_pinned_one_is_refused_and_removed() {
    let cache = tempfile::tempdir().expect("folder");
    let mut body = content();
    body[500] ^= 1;
    let server = serve(body.clone());
    let e = source()
        .fetch(&hub(Some(&server), &cache))
        .expect_err("refused");
    assert!(
        matches!(&e, PullError::Hash { found, .. } if *found == sha256(&body)),
        "{e}"
    );
    let e = source().fetch(&hub(None, &cache)).expect_err("removed");
    assert!(matches!(e, PullError::Offline { .. }), "{e}");
}

#[test]
fn a_download_that_broke_off_goes_on_where_it_stopped() {
    let cache = tempfile::tempdir().expect("folder");
    let server = serve(content());
    server.cut.store(30_000, Ordering::SeqCst);
    let e = source()
        .fetch(&hub(Some(&server), &cache))
        .expect_err("broken off");
    assert!(matches!(e, PullError::Hub { .. }), "{e}");
    let path = source()
        .fetch(&hub(Some(&server), &cache))
        .expect("resumed");
    assert_eq!(std::fs::read(path).expect("file"), content());
    let asked = server.asked.lock().expect("lock").clone();
    assert_eq!(asked.len(), 2);
    assert!(asked[0] == 0 && asked[1] > 0, "{asked:?}");
}

#[test]
fn a_damaged_cache_is_fetched_again() {
    let cache = tempfile::tempdir().expect("folder");
    let server = serve(content());
    let path = source()
        .fetch(&hub(Some(&server), &cache))
        .expect("fetched");
    std::fs::write(std::fs::canonicalize(&path).expect("blob"), b"damaged").expect("written");
    let path = source().fetch(&hub(Some(&server), &cache)).expect("again");
    assert_eq!(std::fs::read(path).expect("file"), content());
}

#[test]
fn offline_and_not_cached_is_said() {
    let cache = tempfile::tempdir().expect("folder");
    let e = source().fetch(&hub(None, &cache)).expect_err("offline");
    assert!(matches!(e, PullError::Offline { .. }), "{e}");
}

#[test]
fn what_is_not_pinned_is_refused() {
    let cache = tempfile::tempdir().expect("folder");
    for bad in [
        Source {
            revision: "main".into(),
            ..source()
        },
        Source {
            repo: "name".into(),
            ..source()
        },
        Source {
            file: "../secret".into(),
            ..source()
        },
        Source {
            sha256: Some("12".into()),
            ..source()
        },
    ] {
        let e = bad.fetch(&hub(None, &cache)).expect_err("refused");
        assert!(matches!(e, PullError::Source(_)), "{e}");
    }
}

/// Every pin of the catalog is well formed, and another file than the pinned one is never installed.
#[test]
fn pinned_weights_are_that_file_and_no_other() {
    let (cache, home) = (tempfile::tempdir(), tempfile::tempdir());
    let (cache, home) = (cache.expect("folder"), home.expect("folder"));
    let models = Models::at(home.path());
    let server = serve(content());
    let file = home.path().join("model.safetensors");
    std::fs::write(&file, content()).expect("written");
    let pinned: Vec<_> = CATALOG.iter().filter(|e| e.pin().is_some()).collect();
    assert!(!pinned.is_empty());
    for entry in pinned {
        let offline = models.pull(entry.id, &hub(None, &cache));
        let offline = offline.expect_err("not cached");
        assert!(
            matches!(offline, ImportError::Pull(PullError::Offline { .. })),
            "{offline}"
        );
        let pulled = models.pull(entry.id, &hub(Some(&server), &cache));
        let pulled = pulled.expect_err("another file");
        assert!(
            matches!(&pulled, ImportError::Pull(PullError::Hash { found, .. }) if *found == sha256(&content())),
            "{pulled}"
        );
        let brought = models.import(entry.id, &file, None);
        let brought = brought.expect_err("another file");
        let said = brought.to_string();
        assert!(
            matches!(
                brought,
                ImportError::Detector(DetectorError::Corrupt { .. })
            ) && said.contains(&sha256(&content())),
            "{said}"
        );
        assert!(models.installed().is_empty());
    }
    let e = models.pull("npr", &hub(Some(&server), &cache));
    assert!(matches!(e, Err(ImportError::NotPinned(_))));
}
