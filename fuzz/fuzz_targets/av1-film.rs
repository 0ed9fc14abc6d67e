#![no_main]
//! Any bytes that begin like a video of target `av1-film` end in frames within the limits or in a typed error.

use libfuzzer_sys::fuzz_target;
use realscope_fuzz::Target;

fuzz_target!(|data: &[u8]| {
    let _ = Target::named("av1-film")
        .expect("a target")
        .decodes_or_errs(data);
});
