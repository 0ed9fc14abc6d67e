#![no_main]
//! Whatever bytes declare is read, or a typed error is given.

use libfuzzer_sys::fuzz_target;
use realscope_fuzz::Target;

fuzz_target!(|data: &[u8]| {
    let _ = Target::named("declarations")
        .expect("a target")
        .decodes_or_errs(data);
});
