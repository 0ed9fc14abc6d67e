#![no_main]
//! Any bytes that begin like AVIF end in a picture within the limits or in a typed error.

use libfuzzer_sys::fuzz_target;
use realscope_fuzz::Target;

fuzz_target!(
    init: {
        // The decoder catches its parser's assertions; a panic that gets through still ends the run.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |data: &[u8]| {
        let _ = Target::named("avif").expect("a target").decodes_or_errs(data);
    }
);
