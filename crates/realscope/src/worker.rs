//! The side of decoding that serves: a process of its own.
//!
//! Catching panics stops neither a decoder that loops nor an allocation that aborts, so untrusted
//! bytes are decoded in a worker process under memory limits. A worker serves many files; it is killed at a file's
//! deadline and replaced ([`crate::lane`]).
//!
//! Frames on the worker's stdin and stdout: length of a JSON header (u32, little endian), the
//! header, then the bytes that it announces.

use std::io::{self, Read, Write};

use realscope_media::{Decoded, Facts, Limits, MediaError, Options as DecodeOptions};
use serde::{Deserialize, Serialize};

/// Memory that a worker needs beside what decoding may claim: the program itself and its stacks.
const BASE_MEMORY: u64 = 512 << 20;
/// Largest header that is read.
const MAX_HEADER: usize = 16 << 20;

#[derive(Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) limits: Limits,
    pub(crate) options: DecodeOptions,
    pub(crate) bytes: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) result: Result<Facts, MediaError>,
    pub(crate) bytes: u64,
}

pub(crate) fn write_frame(
    out: &mut impl Write,
    header: &impl Serialize,
    bytes: &[u8],
) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    let len = u32::try_from(header.len()).map_err(io::Error::other)?;
    out.write_all(&len.to_le_bytes())?;
    out.write_all(&header)?;
    out.write_all(bytes)?;
    out.flush()
}

pub(crate) fn read_header<T: for<'de> Deserialize<'de>>(input: &mut impl Read) -> io::Result<T> {
    let mut len = [0; 4];
    input.read_exact(&mut len)?;
    let len = u32::from_le_bytes(len) as usize;
    if len > MAX_HEADER {
        return Err(io::Error::other("header too long"));
    }
    let mut header = vec![0; len];
    input.read_exact(&mut header)?;
    Ok(serde_json::from_slice(&header)?)
}

/// What a worker does with a file; tests put a faulty one in its place.
pub type Handler = fn(&[u8], &Limits, &DecodeOptions) -> Result<Decoded, MediaError>;

/// Serves requests on stdin until it closes. The first request sets the memory limit.
///
/// # Errors
/// When the pipe breaks.
pub fn serve(handler: Handler) -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut limited = false;
    loop {
        let request: Request = match read_header(&mut input) {
            Ok(request) => request,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        };
        if !limited {
            limit_memory(BASE_MEMORY + request.limits.max_alloc + 2 * request.limits.max_bytes);
            limited = true;
        }
        let mut bytes = vec![0; usize::try_from(request.bytes).map_err(io::Error::other)?];
        input.read_exact(&mut bytes)?;
        match handler(&bytes, &request.limits, &request.options) {
            Ok(decoded) => {
                let pixels = decoded.pixels.into_raw();
                let reply = Reply {
                    result: Ok(decoded.facts),
                    bytes: pixels.len() as u64,
                };
                write_frame(&mut output, &reply, &pixels)?;
            }
            Err(e) => {
                let reply = Reply {
                    result: Err(e),
                    bytes: 0,
                };
                write_frame(&mut output, &reply, &[])?;
            }
        }
    }
}

#[cfg(unix)]
fn limit_memory(bytes: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    // Where the system refuses, the checks ahead of each allocation still hold.
    let _ = setrlimit(Resource::As, limit);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
}

#[cfg(not(unix))]
fn limit_memory(_bytes: u64) {}
