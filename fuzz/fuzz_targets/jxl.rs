#![no_main]
//! Any bytes that begin like Jxl end in a picture within the limits or in a typed error.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| realscope_fuzz::decodes_or_errs(realscope_media::Format::Jxl, data));
