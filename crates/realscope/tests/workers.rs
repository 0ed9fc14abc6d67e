//! Workers that abort, loop and over-allocate: each costs its own file and no other.

use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use realscope::confine::{Confined, confine};
use realscope::lane::{DecodeError, Lane, Launch};
use realscope::{Cancel, worker};
use realscope_media::{Decoded, Limits, MediaError, Options, decode};

/// Misbehaves on command; decodes everything else.
fn faulty(bytes: &[u8], limits: &Limits, options: &Options) -> Result<Decoded, MediaError> {
    match bytes {
        b"abort" => std::process::abort(),
        b"loop" => loop {
            std::hint::spin_loop();
        },
        b"allocate" => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            loop {
                hoard.push(vec![1; 64 << 20]);
            }
        }
        b"who" => Err(MediaError::Unsupported {
            format: std::process::id().to_string(),
        }),
        b"reach" => {
            let file = std::fs::write(std::env::temp_dir().join("realscope-reach"), "x");
            let socket = std::net::UdpSocket::bind("127.0.0.1:0");
            let found = Confined {
                read_only: file.is_err(),
                no_sockets: socket.is_err(),
            };
            Err(MediaError::Unsupported {
                format: format!("{found:?}"),
            })
        }
        _ => decode(bytes, limits, options),
    }
}

fn lane() -> Lane {
    Lane::new(Launch {
        program: std::env::current_exe().expect("own path"),
        args: vec!["serve-as-worker".into()],
    })
}

fn picture() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8, y as u8, 9]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("encodes");
    bytes.into_inner()
}

fn run(lane: &mut Lane, bytes: &[u8], seconds: f64) -> Result<(u32, u32), DecodeError> {
    lane.decode(
        bytes,
        &Limits::default(),
        &Options::default(),
        Duration::from_secs_f64(seconds),
        &Cancel::default(),
    )
    .map(|d| d.pixels.dimensions())
}

fn check(fault: &[u8], seconds: f64, expected: &str) -> Result<(), Failed> {
    let mut lane = lane();
    let good = picture();
    assert_eq!(run(&mut lane, &good, 30.0), Ok((40, 30)));
    let error = run(&mut lane, fault, seconds).expect_err("the worker misbehaves");
    let code = realscope::ScanError::from(error.clone()).code();
    assert_eq!(code.word(), expected, "{error}");
    assert_eq!(
        run(&mut lane, &good, 30.0),
        Ok((40, 30)),
        "the next file is whole"
    );
    assert_eq!(
        run(&mut lane, &good, 30.0),
        Ok((40, 30)),
        "and the worker is reused"
    );
    Ok(())
}

fn after_its_files_a_worker_is_replaced() -> Result<(), Failed> {
    let mut lane = lane().replaced_after(2);
    let mut ask = || {
        run(&mut lane, b"who", 30.0)
            .expect_err("no picture")
            .to_string()
    };
    let who = [ask(), ask(), ask(), ask(), ask()];
    assert_eq!((&who[0], &who[2]), (&who[1], &who[3]));
    assert!(who[1] != who[2] && who[3] != who[4], "{who:?}");
    Ok(())
}

fn a_worker_neither_writes_nor_connects() -> Result<(), Failed> {
    // What this kernel offers, tried by a thread of its own.
    let offered = std::thread::spawn(confine);
    let offered = offered.join().map_err(|_| "the thread panicked")?;
    if offered == Confined::default() {
        eprintln!("skipped: this system confines nothing");
        return Ok(());
    }
    let found = run(&mut lane(), b"reach", 30.0).expect_err("no picture");
    assert!(
        found.to_string().contains(&format!("{offered:?}")),
        "{found}"
    );
    // The thread is confined, the others are not.
    let path = std::env::temp_dir().join(format!("realscope-free-{}", std::process::id()));
    std::fs::write(&path, "x")?;
    Ok(std::fs::remove_file(&path)?)
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("serve-as-worker") {
        worker::serve(faulty).expect("pipe");
        return;
    }
    let tests = vec![
        Trial::test("an_abort_is_worker_crashed", || {
            check(b"abort", 30.0, "worker_crashed")
        }),
        Trial::test("a_loop_meets_the_deadline", || {
            check(b"loop", 0.5, "deadline")
        }),
        Trial::test("over_allocation_is_worker_crashed", || {
            check(b"allocate", 60.0, "worker_crashed")
        }),
        Trial::test(
            "after_its_files_a_worker_is_replaced",
            after_its_files_a_worker_is_replaced,
        ),
        Trial::test(
            "a_worker_neither_writes_nor_connects",
            a_worker_neither_writes_nor_connects,
        ),
        Trial::test("text_is_a_typed_error", || {
            check(b"plain text", 30.0, "not_a_picture")
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}
