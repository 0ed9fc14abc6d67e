//! The layouts that can be imported, in one list.

use super::reader::Import;
use super::{deepfakebench, dfdc, dgm4, faceforensics, folders, lists};
use crate::manifest::ManifestError;

/// A layout that can be imported.
pub struct Layout {
    /// Name on the command line.
    pub name: &'static str,
    /// What it looks like.
    pub summary: &'static str,
    pub(super) read: fn(&mut Import) -> Result<(), ManifestError>,
}

/// All layouts.
pub const LAYOUTS: &[Layout] = &[
    Layout {
        name: "folders",
        summary: "class folders anywhere below: real|fake, 0_real|1_fake, nature|ai, authentic|generated",
        read: folders::plain,
    },
    Layout {
        name: "forensynths",
        summary: "ForenSynths / CNNDetection: [train|val|test/]GENERATOR/[CLASS/]{0_real,1_fake}",
        read: folders::forensynths,
    },
    Layout {
        name: "aigcdetect",
        summary: "AIGCDetectBenchmark: as forensynths",
        read: folders::forensynths,
    },
    Layout {
        name: "genimage",
        summary: "GenImage: GENERATOR/[ARCHIVE/]{train,val}/{ai,nature}; split archives are reported",
        read: folders::genimage,
    },
    Layout {
        name: "deepfakebench",
        summary: "DeepfakeBench JSON: {SET: {LABEL: {SPLIT: [{COMPRESSION:] {VIDEO: {label, frames}}}}}",
        read: deepfakebench::read,
    },
    Layout {
        name: "faceforensics",
        summary: "FaceForensics++: {original,manipulated}_sequences/METHOD/{raw,c23,c40}/{videos,frames}",
        read: faceforensics::ffpp,
    },
    Layout {
        name: "celebdf",
        summary: "Celeb-DF v1 and v2: Celeb-real, YouTube-real, Celeb-synthesis, List_of_testing_videos.txt",
        read: faceforensics::celebdf,
    },
    Layout {
        name: "dfdc",
        summary: "DFDC: dfdc_train_part_N with metadata.json, test/videos with labels.csv",
        read: dfdc::dfdc,
    },
    Layout {
        name: "dfdcp",
        summary: "DFDC preview: dataset.json beside method_A, method_B and original_videos",
        read: dfdc::preview,
    },
    Layout {
        name: "df40",
        summary: "DF40: METHOD/{ff,cdf}/... and METHOD/{fake,real}",
        read: faceforensics::df40,
    },
    Layout {
        name: "forgerynet",
        summary: "ForgeryNet: image or video lists with binary, 3-way and 16-way labels",
        read: lists::forgerynet,
    },
    Layout {
        name: "genvideo",
        summary: "GenVideo: GenVideo-Val/{Real,Fake/GENERATOR} or CSV lists",
        read: lists::genvideo,
    },
    Layout {
        name: "genvidbench",
        summary: "GenVidBench: lines `path label` in {train,test}.txt",
        read: lists::genvidbench,
    },
    Layout {
        name: "owdfa",
        summary: "OW-DFA: CSV img_path,label,face_type,method,image_source,tag",
        read: lists::owdfa,
    },
    Layout {
        name: "dgm4",
        summary: "DGM4: JSON list of {image, fake_cls, fake_image_box, ...}",
        read: dgm4::read,
    },
    Layout {
        name: "csv",
        summary: "CSV or tab-separated text with path, label, group and the manifest's other columns",
        read: lists::generic,
    },
];
