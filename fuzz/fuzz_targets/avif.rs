#![no_main]
//! Any bytes that begin like Avif end in a picture within the limits or in a typed error.

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: {
    // The decoder catches its parser's assertions; a panic that gets through still ends the run.
    std::panic::set_hook(Box::new(|_| {}));
}, |data: &[u8]| realscope_fuzz::decodes_or_errs(realscope_media::Format::Avif, data));
