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

impl Metadata {
    /// Takes what the file around a picture declares beside what the picture does itself.
    pub(crate) fn join(&mut self, around: Self) {
        let Self {
            exif,
            xmp,
            iptc,
            png_text,
            container_text,
            generators,
            aigc,
            c2pa,
        } = around;
        match (&mut self.exif, exif) {
            (Some(own), Some(other)) if own.make.is_none() && own.model.is_none() => {
                (own.make, own.model) = (other.make, other.model);
            }
            (Some(_), _) => {}
            (empty, found) => *empty = found,
        }
        match (&mut self.xmp, xmp) {
            (Some(own), Some(other)) => own.fill(other),
            (Some(_), None) => {}
            (empty, found) => *empty = found,
        }
        self.iptc = self.iptc.take().or(iptc);
        self.c2pa = self.c2pa.take().or(c2pa);
        self.png_text.extend(png_text);
        self.container_text.extend(container_text);
        for mark in generators {
            if !self.generators.contains(&mark) {
                self.generators.push(mark);
            }
        }
        for label in aigc {
            if !self.aigc.contains(&label) {
                self.aigc.push(label);
            }
        }
    }
}
