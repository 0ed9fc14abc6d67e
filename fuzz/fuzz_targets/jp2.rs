#![no_main]
//! Any bytes that begin like JPEG 2000 end in a picture within the limits or in a typed error.

use libfuzzer_sys::fuzz_target;
use realscope_fuzz::Target;

fuzz_target!(|data: &[u8]| {
    let _ = Target::named("jp2")
        .expect("a target")
        .decodes_or_errs(data);
});
