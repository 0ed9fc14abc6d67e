//! Everything that a file declares, in one place.

use serde::{Deserialize, Serialize};

use super::c2pa::C2pa;
use super::exif::ExifFacts;
use super::iptc::IptcFacts;
use super::mark::{AigcLabel, GeneratorMark};
use super::xmp::XmpFacts;

/// Everything that a file declares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// EXIF fields.
    pub exif: Option<ExifFacts>,
    /// XMP properties.
    pub xmp: Option<XmpFacts>,
    /// IPTC-IIM datasets.
    pub iptc: Option<IptcFacts>,
    /// PNG text chunks as (keyword, text), long texts cut.
    pub png_text: Vec<(String, String)>,
    /// Texts of a video's container as (key, text), long texts cut.
    pub container_text: Vec<(String, String)>,
    /// Traces that generators leave.
    pub generators: Vec<GeneratorMark>,
    /// Labels of generated content that China's law demands.
    pub aigc: Vec<AigcLabel>,
    /// Content credentials.
    pub c2pa: Option<C2pa>,
}
