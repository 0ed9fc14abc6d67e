//! Standard output, whose reader may stop reading at any time.

use std::io::{ErrorKind, Write};

/// Writes and flushes. A reader that has gone ends the program quietly, any other fault with exit code 2.
pub fn write(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => {
            eprintln!("error: stdout: {e}");
            std::process::exit(2);
        }
    }
}

/// `print!` by way of [`write`].
macro_rules! out {
    ($($args:tt)*) => { $crate::output::write(format!($($args)*).as_bytes()) };
}

/// `println!` by way of [`write`].
macro_rules! outln {
    ($($args:tt)*) => { $crate::output::write(format!("{}\n", format_args!($($args)*)).as_bytes()) };
}
