//! Each importer on a miniature tree in its exact layout, made here.

use std::path::{Path, PathBuf};

use realscope_data::import::{Options, import};
use realscope_data::manifest::{Item, Manifest};
use serde_json::json;
use tempfile::TempDir;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n....IEND";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0....\xff\xd9";
const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0mp41isom";

struct Tree(TempDir);

impl Tree {
    fn new(files: &[&str]) -> Self {
        let tree = Self(tempfile::tempdir().expect("folder"));
        for f in files {
            let bytes = match f.rsplit('.').next() {
                Some("png") => PNG,
                Some("mp4" | "avi") => MP4,
                _ => JPEG,
            };
            tree.put(f, bytes);
        }
        tree
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folders");
        std::fs::write(path, bytes).expect("written");
    }

    fn root(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn read(&self, layout: &str) -> Manifest {
        self.read_at(layout, &self.root())
    }

    fn read_at(&self, layout: &str, at: &Path) -> Manifest {
        let m = import(layout, at, &Options::default()).unwrap_or_else(|e| panic!("{layout}: {e}"));
        // Whatever the layout, the manifest survives both formats.
        for name in ["m.parquet", "m.csv"] {
            let folder = tempfile::tempdir().expect("folder");
            let path = folder.path().join(name);
            m.write(&path).expect("written");
            assert_eq!(
                Manifest::read(&path).expect("read").items,
                m.items,
                "{layout} {name}"
            );
        }
        m
    }

    fn item<'a>(&self, m: &'a Manifest, end: &str) -> &'a Item {
        m.items
            .iter()
            .find(|i| i.path.ends_with(end))
            .unwrap_or_else(|| panic!("{end} is not in {:?}", m.items))
    }
}

#[test]
fn plain_folders() {
    for (real, fake) in [("real", "fake"), ("0_real", "1_fake"), ("nature", "ai")] {
        let t = Tree::new(&[&format!("test/{real}/a.jpg"), &format!("test/{fake}/b.jpg")]);
        let m = t.read("folders");
        assert_eq!(m.counts(), [1, 1]);
        assert_eq!(t.item(&m, "a.jpg").label, 0);
        assert_eq!(t.item(&m, "b.jpg").split, "test");
    }
}

#[test]
fn forensynths_with_and_without_classes_of_objects() {
    let t = Tree::new(&[
        "test/biggan/0_real/a.png",
        "test/biggan/1_fake/b.png",
        "test/cyclegan/horse/0_real/c.png",
        "test/cyclegan/horse/1_fake/d.png",
    ]);
    let m = t.read("forensynths");
    assert_eq!(m.counts(), [2, 2]);
    assert_eq!(t.item(&m, "d.png").group, "cyclegan");
    assert_eq!(t.item(&m, "c.png").group, "cyclegan/real");
    assert_eq!(t.read("aigcdetect").items, m.items);
}

#[test]
fn genimage_quarantines_empty_and_cut_files_and_leftover_archives() {
    let t = Tree::new(&[
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/train/nature/n1.JPEG",
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val/ai/a1.png",
        "ADM/imagenet_ai_0508_adm/val/ai/a2.png",
    ]);
    t.put(
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/train/ai/033_sdv4_00152.png",
        b"",
    );
    t.put(
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/train/nature/cut.JPEG",
        b"\xff\xd8\xff\xe0..",
    );
    t.put("wukong/imagnet_ai_0424_wukong.z01", b"archive");
    t.put("wukong/imagnet_ai_0424_wukong.zip", b"PK\x03\x04");
    let m = t.read("genimage");
    assert_eq!(m.counts(), [1, 2]);
    assert_eq!(t.item(&m, "a1.png").generator, "Stable Diffusion V1.4");
    assert_eq!(t.item(&m, "a2.png").generator, "ADM");
    assert_eq!(m.quarantined.len(), 4, "{:?}", m.quarantined);
    assert!(m.quarantined.iter().any(|q| q.reason == "empty"));
    assert!(m.quarantined.iter().any(|q| q.reason.contains("cut short")));
    let archives = m
        .quarantined
        .iter()
        .filter(|q| q.reason.contains("split archive"));
    assert_eq!(archives.count(), 2);
}

#[test]
fn deepfakebench_json_with_all_its_quirks() {
    let t = Tree::new(&[
        "FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003/010.png",
        "FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003/002.png",
        "FaceForensics++/manipulated_sequences/NeuralTextures/c23/frames/000_003/002.png",
        "FaceForensics++/original_sequences/youtube/c23/frames/000/000.png",
        "DFDC/test/frames/v1/0.png",
    ]);
    let deepfakes = "FaceForensics++\\manipulated_sequences\\Deepfakes\\c23\\frames\\000_003\\";
    t.put("json/FaceForensics++.json", json!({"FaceForensics++": {
        "FF-DF": {"test": {"c23": {"000_003": {"label": "FF-DF",
            "frames": [format!("{deepfakes}010.png"), format!("{deepfakes}002.png")]}}}},
        "FF-NT": {"test": {"c23": {"000_003": {"label": "FF-NT",
            "frames": ["FaceForensics++/manipulated_sequences/NeuralTextures/c23/frames/000_003/002.png"]}}}},
        "FF-real": {
            "train": {"c23": {"000": {"label": "FF-real", "frames":
                ["FaceForensics++/original_sequences/youtube/c23/frames/000/000.png"]}}},
            "val": {"c23": {}}},
    }}).to_string().as_bytes());
    t.put(
        "json/DFDC.json",
        json!({"DFDC": {"DFDC_Fake": {
            "val": {"label": "DFDC_Fake", "frames": ["DFDC/test/frames/v1/0.png"]},
            "test": {"v9": {"label": "DFDC_Fake", "frames": ["DFDC/test/frames/v9/missing.png"]}},
        }}})
        .to_string()
        .as_bytes(),
    );
    let m = t.read_at("deepfakebench", &t.root().join("json"));
    assert_eq!(m.counts(), [1, 4]);
    let a = t.item(&m, "Deepfakes/c23/frames/000_003/010.png");
    let b = t.item(&m, "NeuralTextures/c23/frames/000_003/002.png");
    assert_ne!(a.video, b.video, "manipulations share an id and stay apart");
    assert_eq!(
        (a.tier.as_str(), a.split.as_str(), a.label),
        ("c23", "test", 1)
    );
    assert_eq!(t.item(&m, "DFDC/test/frames/v1/0.png").split, "val");
    assert_eq!(m.quarantined.len(), 1, "the missing frame");
}

#[test]
fn faceforensics_pairs_decide_the_split() {
    let t = Tree::new(&[
        "original_sequences/youtube/c23/videos/071.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/071_054.mp4",
        "manipulated_sequences/Deepfakes/c40/videos/054_071.mp4",
        "manipulated_sequences/FaceSwap/raw/frames/071_054/0001.png",
        "manipulated_sequences/FaceSwap/raw/masks/071_054/0001.png",
        "manipulated_sequences/Face2Face/c23/000_003/000_003_0000.png",
    ]);
    t.put("test.json", br#"[["071","054"]]"#);
    t.put("train.json", br#"[["000","003"]]"#);
    let m = t.read("faceforensics");
    assert_eq!(m.counts(), [1, 4]);
    assert!(
        m.items
            .iter()
            .filter(|i| i.path.contains("071"))
            .all(|i| i.split == "test")
    );
    let f2f = t.item(&m, "000_003_0000.png");
    assert_eq!(
        (f2f.split.as_str(), f2f.video.as_str()),
        ("train", "Face2Face/c23/000_003")
    );
    assert!(
        t.item(&m, "FaceSwap/raw/frames/071_054/0001.png")
            .mask
            .contains("/masks/")
    );
}

#[test]
fn celebdf_lists_one_as_real() {
    let t = Tree::new(&[
        "Celeb-real/videos/id0_0000.mp4",
        "YouTube-real/videos/00170.mp4",
        "Celeb-synthesis/videos/id0_id1_0000.mp4",
    ]);
    t.put(
        "List_of_testing_videos.txt",
        b"1 YouTube-real/00170.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n",
    );
    let m = t.read("celebdf");
    assert_eq!(m.counts(), [2, 1]);
    assert_eq!(t.item(&m, "00170.mp4").split, "test");
    assert_eq!(t.item(&m, "id0_0000.mp4").split, "train");
    assert_eq!(t.item(&m, "id0_id1_0000.mp4").label, 1);
}

#[test]
fn dfdc_metadata_and_labels() {
    let t = Tree::new(&[
        "train/dfdc_train_part_0/a.mp4",
        "train/dfdc_train_part_0/b.mp4",
        "test/videos/c.mp4",
    ]);
    t.put("train/dfdc_train_part_0/metadata.json",
        br#"{"a.mp4":{"label":"FAKE","split":"train","original":"b.mp4"},"b.mp4":{"label":"REAL","split":"train"},"gone.mp4":{"label":"REAL"}}"#);
    t.put("test/labels.csv", b"filename,label\nc.mp4,1\n");
    let m = t.read("dfdc");
    assert_eq!(m.counts(), [1, 2]);
    assert_eq!(
        t.item(&m, "a.mp4").group,
        t.item(&m, "b.mp4").group,
        "a fake stays with its original"
    );
    assert_eq!(t.item(&m, "c.mp4").split, "test");
    assert_eq!(m.quarantined.len(), 1);
}

#[test]
fn dfdc_preview() {
    let t = Tree::new(&["method_A/1/x.mp4", "original_videos/1/y.mp4"]);
    t.put("dataset.json", br#"{"method_A/1/x.mp4":{"label":"fake","set":"test"},"original_videos/1/y.mp4":{"label":"real","set":"train"}}"#);
    let m = t.read("dfdcp");
    assert_eq!(m.counts(), [1, 1]);
    assert_eq!(t.item(&m, "x.mp4").split, "test");
}

#[test]
fn df40_domains() {
    let t = Tree::new(&[
        "DF40_train/simswap/ff/frames/000_003/0.png",
        "DF40/heygen/fake/frames/v/0.png",
        "DF40/heygen/real/frames/v/0.png",
    ]);
    t.put("DF40/MidJourney/fake/empty.png", b"");
    let m = t.read("df40");
    assert_eq!(m.counts(), [1, 2]);
    assert_eq!(
        t.item(&m, "simswap/ff/frames/000_003/0.png").group,
        "simswap_ff"
    );
    assert_eq!(m.quarantined.len(), 1);
}

#[test]
fn forgerynet_lists() {
    let t = Tree::new(&["Training/image/a.jpg", "Training/image/b.jpg"]);
    t.put(
        "Training/image_list.txt",
        b"image/a.jpg 0 0 0\nimage/b.jpg 1 2 7\nbroken line\n",
    );
    let m = t.read("forgerynet");
    assert_eq!(m.counts(), [1, 1]);
    assert_eq!(t.item(&m, "b.jpg").generator, "method-7");
    assert_eq!(t.item(&m, "a.jpg").split, "train");
}

#[test]
fn genvideo_folders() {
    let t = Tree::new(&["GenVideo-Val/Real/r.mp4", "GenVideo-Val/Fake/Sora/s.mp4"]);
    let m = t.read("genvideo");
    assert_eq!(m.counts(), [1, 1]);
    assert_eq!(t.item(&m, "s.mp4").generator, "Sora");
}

#[test]
fn genvidbench_lines() {
    let t = Tree::new(&["Pika/a b.mp4", "Vript/c.mp4"]);
    t.put(
        "test.txt",
        b"Pika/a b.mp4 1\nVript/c.mp4 0\nVript/none.mp4 0\n",
    );
    let m = t.read("genvidbench");
    assert_eq!(m.counts(), [1, 1]);
    assert_eq!(t.item(&m, "a b.mp4").group, "Pika");
    assert_eq!(m.quarantined.len(), 1);
}

#[test]
fn owdfa_csv() {
    let t = Tree::new(&[
        "IdentitySwap/simswap/x/1.png",
        "RealFace/Real/ffhq/2.png",
        "drop.png",
    ]);
    t.put("train.csv", b"img_path,label,face_type,method,image_source,tag\nIdentitySwap/simswap/x/1.png,3,IdentitySwap,simswap,x,1\nRealFace/Real/ffhq/2.png,0,RealFace,Real,ffhq,2\ndrop.png,1,IdentitySwap,y,x,0\n");
    let m = t.read("owdfa");
    assert_eq!(m.counts(), [1, 1]);
    assert_eq!(t.item(&m, "2.png").group, "real/ffhq");
    assert_eq!(m.quarantined.len(), 1);
}

#[test]
fn dgm4_text_alone_is_an_authentic_picture() {
    let t = Tree::new(&["origin/bbc/1.jpg", "manipulation/simswap/2.jpg"]);
    t.put(
        "metadata/test.json",
        json!([
            {"image": "origin/bbc/1.jpg", "fake_cls": "text_swap"},
            {"image": "manipulation/simswap/2.jpg", "fake_cls": "face_swap&text_attribute"},
        ])
        .to_string()
        .as_bytes(),
    );
    let m = t.read_at("dgm4", &t.root().join("metadata"));
    assert_eq!(m.counts(), [1, 1]);
    assert_eq!(t.item(&m, "2.jpg").generator, "face_swap");
}

#[test]
fn a_generic_csv_names_the_row_at_fault() {
    let t = Tree::new(&["a.jpg", "b.jpg"]);
    t.put(
        "ok.csv",
        b"path,label,group,licence\na.jpg,0,x,CC0\nb.jpg,1,y,\n",
    );
    let m = t.read_at("csv", &t.root().join("ok.csv"));
    assert_eq!(t.item(&m, "a.jpg").licence, "CC0");
    for (bytes, expected) in [
        (&b"path,label,group\na.jpg,maybe,x\n"[..], "row 1"),
        (b"path,label,group\na.jpg,0,x\na.jpg,0,x\n", "row 2"),
        (b"path,label\na.jpg,0\n", "group"),
        (b"path,label,group,grop\na.jpg,0,x,y\n", "grop"),
        (
            b"path,label,group,video\na.jpg,0,x,v\nb.jpg,1,x,v\n",
            "both labels",
        ),
    ] {
        t.put("bad.csv", bytes);
        let e = import("csv", &t.root().join("bad.csv"), &Options::default()).expect_err("refused");
        assert!(e.to_string().contains(expected), "{e}");
    }
    assert!(import("nonsense", &t.root(), &Options::default()).is_err());
}
