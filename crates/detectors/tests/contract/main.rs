//! What every detector keeps, looped over the catalog and over one tiny detector of each kind.
//!
//! A detector of the catalog is tested by being registered. Weights that a user brings are made by rule, after the
//! parity fixture that has the detector's id.

mod tiny;

use std::sync::Arc;

use image::RgbImage;
use realscope_delivery as delivery;
use realscope_detectors::card::{Card, Clip, ClipLayout, Colour, Fit, Head, Input, Task, View};
use realscope_detectors::catalog::{self, CATALOG};
use realscope_detectors::entry::{self, Load, Weights};
use realscope_detectors::network::sha256;
use realscope_detectors::prepare::{self, ClipMaker, FaceBox};
use realscope_detectors::{
    Answer, Detector, DetectorError, Place, Rect, Sample, Span, TrackId, Value,
};
use realscope_engine::{EngineKind, Threads};

/// A detector with its deployed file.
struct Subject {
    card: Card,
    weights: Vec<u8>,
    load: Load,
    /// Whether it is too slow to be run more often than needed.
    slow: bool,
}

impl Subject {
    fn detector(&self, many: bool) -> Arc<dyn Detector> {
        let choice = if many {
            EngineKind::Rten.for_many()
        } else {
            EngineKind::Rten.into()
        };
        (self.load)(self.card.clone(), &self.weights, choice)
            .unwrap_or_else(|e| panic!("{}: {e}", self.card.id))
    }
}

fn tiny() -> Vec<Subject> {
    tiny::all()
        .into_iter()
        .map(|(card, weights)| Subject {
            card,
            weights,
            load: entry::network,
            slow: false,
        })
        .collect()
}

fn embedded() -> Vec<Subject> {
    CATALOG
        .iter()
        .filter_map(|entry| {
            Some(Subject {
                weights: entry.embedded()?.to_vec(),
                card: (entry.card)().expect("a card"),
                load: entry.load,
                slow: false,
            })
        })
        .collect()
}

#[cfg(feature = "import")]
fn fixture(id: &str) -> Option<realscope_parity::fixture::Fixture> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../parity/fixtures");
    let path = std::path::Path::new(folder).join(format!("{id}.json"));
    path.is_file()
        .then(|| realscope_parity::fixture::Fixture::read(&path).expect("a fixture"))
}

/// The fixtures of a detector's weights: that of its name, or those of the parts that the user joins.
#[cfg(feature = "import")]
fn parts(id: &str) -> Option<Vec<realscope_parity::fixture::Fixture>> {
    match id {
        "restrav" => ["dinov2-vits14", "restrav-mlp"]
            .map(fixture)
            .into_iter()
            .collect(),
        "sta" => Some(vec![fixture("sta-detector")?]),
        id => Some(vec![fixture(id)?]),
    }
}

/// Tensors that no part has: mean and deviation of what ReStraV's classifier sees.
#[cfg(feature = "import")]
const STATISTICS: [(&str, f32); 2] = [("mean", 1.0), ("std", 2.0)];

/// Parameters above which a network is slow to test.
#[cfg(feature = "import")]
const LARGE: u64 = 60_000_000;

/// The same times the frames that it sees at once.
#[cfg(feature = "import")]
const LARGE_CLIP: u64 = 400_000_000;

/// Detectors of weights that a user brings, converted from weights by rule.
#[cfg(feature = "import")]
fn imported() -> Vec<Subject> {
    let folder = tempfile::tempdir().expect("folder");
    CATALOG
        .iter()
        .filter_map(|entry| {
            let (_, convert) = entry.import()?;
            let convert = convert.unwrap_or_else(|| panic!("{}: no conversion", entry.id));
            let parts = parts(entry.id)?;
            let parameters: u64 = parts.iter().map(|p| p.parameters).sum();
            let frames = (entry.card)().expect("a card").input.view.frames() as u64;
            let large = parameters > LARGE || parameters * frames > LARGE_CLIP;
            if large && std::env::var_os("REALSCOPE_LARGE").is_none() {
                println!("{}: skipped, REALSCOPE_LARGE is not set", entry.id);
                return None;
            }
            let mut dict = parts[0].state_dict().expect("weights by rule");
            for part in &parts[1..] {
                let more = part.state_dict().expect("weights by rule");
                for key in more.keys() {
                    let (shape, values) = more.get(key).expect("a tensor");
                    dict.insert(key, shape.to_vec(), values.to_vec());
                }
                for (key, value) in STATISTICS {
                    dict.insert(key, vec![21], vec![value; 21]);
                }
            }
            let file = folder.path().join("weights.safetensors");
            std::fs::write(&file, dict.to_safetensors().expect("serialises")).expect("written");
            let (card, weights) = convert(&file).unwrap_or_else(|e| panic!("{}: {e}", entry.id));
            // A file that lacks a tensor is refused by its name. Some published files hold tensors that take no part, and
            // some tensors are known here by the name of a part of them.
            let keys: Vec<&String> = dict.keys().collect();
            let spread = (1..8).map(|n| keys[n * keys.len() / 8]);
            let mut told = Vec::new();
            let strict = keys.iter().copied().take(8).chain(spread).any(|missing| {
                let less = dict.clone();
                let less = less.renamed(|k| (k != missing).then(|| k.to_owned()));
                let less = less.to_safetensors().expect("serialises");
                std::fs::write(&file, less).expect("written");
                let name = missing
                    .rsplit_once("vit.")
                    .map_or(missing.as_str(), |m| m.1);
                told.extend(convert(&file).err().map(|e| (name, e.to_string())));
                told.last().is_some_and(|(name, e)| e.contains(name))
            });
            assert!(strict, "{}: not strict: {told:?}", entry.id);
            Some(Subject {
                card,
                weights,
                load: entry.load,
                slow: large,
            })
        })
        .collect()
}

#[test]
fn tiny_detectors_of_every_kind_keep_the_contract() {
    tiny().iter().for_each(|s| contract(s, 11));
}

#[test]
fn embedded_detectors_keep_the_contract() {
    embedded().iter().for_each(|s| contract(s, 2));
}

#[cfg(feature = "import")]
#[test]
fn imported_detectors_keep_the_contract() {
    imported().iter().for_each(|s| contract(s, 2));
}

/// The whole contract, on `count` samples where a number is free. A slow detector is run on two samples and on one of
/// them alone, by one kind of loading; smaller networks stand for what else the program that runs it keeps.
fn contract(subject: &Subject, count: u32) {
    let detector = subject.detector(false);
    assert_eq!(detector.card(), &subject.card);
    complete(&subject.card);
    let samples: Vec<Sample> = (0..count).map(|seed| random(&subject.card, seed)).collect();
    let answers = infer(&*detector, &samples);
    heads(&subject.card, &answers);
    refusals(&*detector);
    if subject.slow {
        let alone = infer(&*detector, &samples[..1]);
        assert_eq!(
            alone,
            answers[..1],
            "{}: another answer alone",
            subject.card.id
        );
    } else {
        neighbours(&*detector, &samples, &answers);
        side_by_side(subject, &samples, &answers);
        odd_sizes(&*detector);
    }
    preparation(&subject.card);
    normalisation(&subject.card);
}

fn infer(detector: &dyn Detector, samples: &[Sample]) -> Vec<Answer> {
    detector
        .infer(samples, &Threads::all())
        .unwrap_or_else(|e| panic!("{}: {e}", detector.card().id))
}

/// Pixels that no neighbour foretells, from 0 to 255.
fn noise(width: u32, height: u32, seed: u32) -> RgbImage {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    RgbImage::from_fn(width, height, |_, _| {
        image::Rgb([(); 3].map(|()| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 11) as u8
        }))
    })
}

fn random(card: &Card, seed: u32) -> Sample {
    let (size, frames) = (card.input.size, card.input.view.frames() as u32);
    Sample {
        frames: (0..frames)
            .map(|f| noise(size, size, 1000 * seed + f + 1))
            .collect(),
        place: Place::default(),
    }
}

/// Everything that a reader of the card needs is there, and it survives being written.
fn complete(card: &Card) {
    let id = &card.id;
    card.check().unwrap_or_else(|e| panic!("{id}: {e}"));
    let lists = [&card.known_failures];
    let texts = [
        &card.id,
        &card.summary,
        &card.licence,
        &card.training_data,
        &card.citation,
    ];
    for text in texts.into_iter().chain(lists.into_iter().flatten()) {
        assert!(!text.trim().is_empty(), "{id}: an empty text");
        assert!(!text.contains("TODO"), "{id}: `{text}`");
    }
    assert!(!card.known_failures.is_empty(), "{id}: no known failures");
    let since: Vec<Option<u32>> = card.since.split('.').map(|n| n.parse().ok()).collect();
    assert!(
        since.len() == 3 && since.iter().all(Option::is_some),
        "{id}: since `{}`",
        card.since
    );
    let text = toml::to_string(card).unwrap_or_else(|e| panic!("{id}: {e}"));
    assert_eq!(&Card::parse(id, &text).expect("a card"), card);
}

/// One value a head, of its kind and size, no two samples alike.
fn heads(card: &Card, answers: &[Answer]) {
    let id = &card.id;
    for answer in answers {
        assert_eq!(answer.0.len(), card.heads.len(), "{id}");
        for (head, value) in card.heads.iter().zip(&answer.0) {
            let fits = match (head, value) {
                (Head::Binary { .. } | Head::Flag { .. }, Value::Logit(l)) => l.0.is_finite(),
                (Head::Classes { names, .. }, Value::Classes(v)) => v.len() == names.len(),
                (Head::Embedding { size, .. }, Value::Embedding(v)) => v.len() == *size,
                (Head::Mask { stride, .. }, Value::Mask(m)) => {
                    let across = (card.input.size / stride) as usize;
                    (m.width, m.height) == (across, across) && m.logits.len() == across * across
                }
                _ => false,
            };
            assert!(fits, "{id}: {head:?} gave {value:?}");
        }
    }
    for pair in answers.windows(2) {
        assert_ne!(pair[0], pair[1], "{id}: blind");
    }
}

/// The same again, and bit for bit the same alone and in another order.
fn neighbours(detector: &dyn Detector, samples: &[Sample], answers: &[Answer]) {
    let id = &detector.card().id;
    assert_eq!(infer(detector, samples), answers, "{id}: not deterministic");
    for (sample, expected) in samples.iter().zip(answers) {
        let alone = infer(detector, std::slice::from_ref(sample));
        assert_eq!(&alone[0], expected, "{id}: another answer alone");
    }
    let reversed: Vec<Sample> = samples.iter().rev().cloned().collect();
    let mut turned = infer(detector, &reversed);
    turned.reverse();
    assert_eq!(turned, answers, "{id}: another answer in another order");
    assert!(infer(detector, &[]).is_empty());
}

/// Bit for bit the same with weights that are prepared for many pictures, on any number of threads.
fn side_by_side(subject: &Subject, samples: &[Sample], answers: &[Answer]) {
    let many = subject.detector(true);
    for threads in [Threads::of(1), Threads::of(3)] {
        let made = many.infer(samples, &threads).expect("infers");
        assert_eq!(made, answers, "{}: {threads:?}", subject.card.id);
    }
}

/// A sample of another size or number of frames is refused, and so is what another view is for.
fn refusals(detector: &dyn Detector) {
    let card = detector.card();
    let refused = |sample: Sample, what: &str| {
        let e = detector
            .infer(&[random(card, 1), sample], &Threads::all())
            .expect_err(what);
        assert!(matches!(e, DetectorError::Sample { .. }), "{what}: {e}");
        assert_eq!(e.code(), "detector_not_made_for");
        assert!(e.to_string().contains(&card.id), "{e}");
    };
    let size = card.input.size;
    for (w, h) in [(size - 1, size), (size, size + 1), (0, 0)] {
        let mut sample = random(card, 2);
        *sample.frames.last_mut().expect("a frame") = noise(w, h, 3);
        refused(sample, "another size");
    }
    let mut less = random(card, 2);
    less.frames.pop();
    refused(less, "a frame less");
    let mut more = random(card, 2);
    more.frames.push(noise(size, size, 3));
    refused(more, "a frame more");

    let picture = noise(90, 70, 1);
    let input = &card.input;
    let is_refused = |made: Result<Vec<Sample>, DetectorError>| match made {
        Err(DetectorError::Sample { id, .. }) => id == card.id,
        _ => false,
    };
    let (face, clip) = match input.view {
        View::Face(_) => (true, false),
        View::Clip(_) => (false, true),
        _ => (false, false),
    };
    let made = prepare::picture(&picture, &card.id, input);
    assert_eq!(is_refused(made), face || clip, "{}", card.id);
    let made = prepare::faces(&picture, &[a_face(90, 70)], None, &card.id, input);
    assert_eq!(is_refused(made), !face, "{}", card.id);
    let made = still_video(&picture, &card.id, input);
    assert_eq!(is_refused(made), !clip, "{}", card.id);
    let empty = RgbImage::new(0, 7);
    assert!(is_refused(samples_of(&empty, card)), "{}", card.id);
}

/// A face in the middle half of a picture.
fn a_face(width: u32, height: u32) -> FaceBox {
    let (left, top) = (width / 4, height / 4);
    let (w, h) = ((width / 2).max(1), (height / 2).max(1));
    let at = |x: f32, y: f32| [left as f32 + x * w as f32, top as f32 + y * h as f32];
    FaceBox {
        rect: Rect {
            left,
            top,
            width: w,
            height: h,
        },
        landmarks: Some([
            at(0.3, 0.4),
            at(0.7, 0.4),
            at(0.5, 0.6),
            at(0.35, 0.8),
            at(0.65, 0.8),
        ]),
        track: Some(TrackId(5)),
    }
}

/// The clips of a video of five seconds that shows one picture.
fn still_video(picture: &RgbImage, id: &str, input: &Input) -> Result<Vec<Sample>, DetectorError> {
    let wanted = prepare::instants(id, input, 5.0, 50, 2)?;
    let mut maker = ClipMaker::new(id, input, wanted);
    let mut clips = Vec::new();
    for i in 0..50 {
        let (width, height) = picture.dimensions();
        clips.extend(maker.take(f64::from(i) / 10.0, picture, &[a_face(width, height)])?);
    }
    clips.extend(maker.rest(true));
    match maker.refusal() {
        Some(e) => Err(e),
        None => Ok(clips),
    }
}

/// What the card shows of a picture, of the face in it, or of a still video of it.
fn samples_of(picture: &RgbImage, card: &Card) -> Result<Vec<Sample>, DetectorError> {
    let (id, input) = (&card.id, &card.input);
    match input.view {
        View::Face(_) => {
            let face = a_face(picture.width(), picture.height());
            let time = Span {
                start: 2.0,
                end: 2.1,
            };
            prepare::faces(picture, &[face], Some(time), id, input)
        }
        View::Clip(_) => still_video(picture, id, input),
        _ => prepare::picture(picture, id, input),
    }
}

/// Pictures of any size are shown and answered, or refused as what the detector is not made for.
fn odd_sizes(detector: &dyn Detector) {
    let card = detector.card();
    let id = &card.id;
    for (width, height) in [(1, 1), (5, 300), (641, 480), (4000, 30)] {
        let samples = match samples_of(&noise(width, height, 9), card) {
            Ok(samples) => samples,
            Err(DetectorError::Sample { .. }) if (width, height) == (1, 1) => continue,
            Err(e) => panic!("{id}: {width} x {height}: {e}"),
        };
        assert!(!samples.is_empty(), "{id}: {width} x {height}");
        for sample in &samples {
            let Rect {
                left,
                top,
                width: w,
                height: h,
            } = sample.place.rect;
            assert!(w > 0 && h > 0, "{id}");
            assert!(left + w <= width && top + h <= height, "{id}");
            match card.input.view {
                View::Face(_) => {
                    assert_eq!(sample.place.track, Some(TrackId(5)));
                    assert!(sample.place.time.is_some());
                }
                View::Clip(_) => assert!(sample.place.time.is_some()),
                _ => assert_eq!((sample.place.time, sample.place.track), (None, None)),
            }
        }
        // The size of each frame is checked by the detector.
        heads(card, &infer(detector, &samples[..1]));
        if samples.len() > 1 {
            heads(card, &infer(detector, &samples[samples.len() - 1..]));
        }
    }
}

/// What is shown of a picture is what the card says, computed here once more.
fn preparation(card: &Card) {
    let picture = noise(641, 480, 4);
    let input = &card.input;
    let (size, filter) = (input.size, input.filter.into());
    let resized = |w: u32, h: u32| delivery::resize(&picture, w, h, filter).expect("resizes");
    let middle = |p: &RgbImage| {
        let (left, top) = ((p.width() - size) / 2, (p.height() - size) / 2);
        delivery::crop(p, left, top, size, size)
    };
    let samples = samples_of(&picture, card).expect("samples");
    let whole = |sample: &Sample, frame: &RgbImage, rect: [u32; 4]| {
        assert!(sample.place.whole, "{}", card.id);
        assert!(sample.frames.iter().all(|f| f == frame), "{}", card.id);
        let Rect {
            left,
            top,
            width,
            height,
        } = sample.place.rect;
        assert_eq!([left, top, width, height], rect, "{}", card.id);
    };
    let windows = |samples: &[Sample], most: usize| {
        assert!((1..=most).contains(&samples.len()), "{}", card.id);
        for sample in samples {
            let Rect {
                left,
                top,
                width,
                height,
            } = sample.place.rect;
            assert!(!sample.place.whole);
            assert_eq!((width, height), (size, size));
            let expected = delivery::crop(&picture, left, top, size, size);
            assert_eq!(sample.frames, [expected], "{}", card.id);
        }
    };
    // The shorter side of 480 becomes `short`; the longer one is rounded.
    let longer = |short: u32, round: u32| (641 * short + round) / 480;
    match input.view {
        View::Squash => whole(&samples[0], &resized(size, size), [0, 0, 641, 480]),
        View::Clip(Clip {
            fit: Fit::Face(crop),
            ..
        }) => {
            let face = a_face(641, 480);
            let still = Input {
                view: View::Face(crop),
                ..input.clone()
            };
            let expected = prepare::faces(&picture, &[face], None, &card.id, &still);
            let expected = &expected.expect("a face")[0];
            for sample in &samples {
                assert_eq!(sample.place.rect, expected.place.rect, "{}", card.id);
                let same = |f: &RgbImage| *f == expected.frames[0];
                assert!(sample.frames.iter().all(same), "{}", card.id);
            }
        }
        View::Clip(Clip { fit, trim, .. }) => {
            let cut = (641.0 * trim) as u32;
            let middle = delivery::crop(&picture, cut, 0, 641 - 2 * cut, 480);
            let still = match fit {
                Fit::Squash => View::Squash,
                _ => View::ShorterSide,
            };
            let expected = prepare::picture(
                &middle,
                &card.id,
                &Input {
                    view: still,
                    ..input.clone()
                },
            )
            .expect("a picture");
            let rect = expected[0].place.rect;
            let rect = [rect.left + cut, rect.top, rect.width, rect.height];
            whole(&samples[0], &expected[0].frames[0], rect);
        }
        View::ShorterSide | View::WholeAndWindows { .. } => {
            let expected = middle(&resized(longer(size, 240), size));
            whole(&samples[0], &expected, [80, 0, 480, 480]);
            if let View::WholeAndWindows { most } = input.view {
                windows(&samples[1..], most);
            }
        }
        View::ShorterSideCentre { shorter } => {
            let scaled = resized(longer(shorter, 0), shorter);
            // An odd rest starts at the even pixel.
            let start = |all: u32| (f64::from(all - size) / 2.0).round_ties_even() as u32;
            let (left, top) = (start(scaled.width()), start(scaled.height()));
            let expected = delivery::crop(&scaled, left, top, size, size);
            let shown = (480.0 * f64::from(size) / f64::from(shorter)).round() as u32;
            let rect = [(641 - shown) / 2, (480 - shown) / 2, shown, shown];
            whole(&samples[0], &expected, rect);
        }
        View::Centre | View::Windows { .. } => {
            let most = match input.view {
                View::Windows { most } => most,
                _ => 1,
            };
            windows(&samples, most);
            if most == 1 {
                // 417 pixels remain beside 224: an odd rest starts at the even pixel.
                let start = |all: u32| (f64::from(all - size) / 2.0).round_ties_even() as u32;
                let rect = samples[0].place.rect;
                assert_eq!((rect.left, rect.top), (start(641), start(480)));
            }
        }
        // Crops of faces have tests of their own; here the face is upright in the middle.
        View::Face(_) => {
            assert_eq!(samples.len(), 1);
            let rect = samples[0].place.rect;
            assert!(rect.left < 240 && rect.left + rect.width > 400, "{rect:?}");
            assert!(!samples[0].place.whole);
        }
    }
}

/// What reaches the network is normalised and ordered as the card says: a network that gives back what it gets.
fn normalisation(card: &Card) {
    let layouts = match card.input.view {
        View::Clip(clip) => [ClipLayout::FrameFirst, ClipLayout::ChannelFirst]
            .map(|layout| View::Clip(Clip { layout, ..clip }))
            .to_vec(),
        view => vec![view],
    };
    let colours = [Colour::Rgb, Colour::Bgr];
    for (view, colour) in layouts.iter().flat_map(|v| colours.map(|c| (*v, c))) {
        let size = 16_usize;
        let input = Input {
            size: 16,
            view: match view {
                View::ShorterSideCentre { .. } => View::ShorterSideCentre { shorter: 20 },
                view => view,
            },
            colour,
            ..card.input.clone()
        };
        let frames = view.frames();
        let shape = match view {
            View::Clip(Clip {
                layout: ClipLayout::FrameFirst,
                ..
            }) => vec![frames, 3, size, size],
            View::Clip(_) => vec![3, frames, size, size],
            _ => vec![3, size, size],
        };
        let weights = tiny::echo(&shape);
        let echo = Card {
            weights_sha256: sha256(&weights),
            heads: vec![Head::Embedding {
                output: None,
                size: frames * 3 * size * size,
            }],
            calibration: None,
            video: None,
            video_frame_scale: None,
            faces: None,
            input,
            ..card.clone()
        };
        let detector = entry::network(echo.clone(), &weights, EngineKind::Rten.into());
        let detector = detector.unwrap_or_else(|e| panic!("{}: {e}", card.id));
        let sample = random(&echo, 6);
        let answers = infer(&*detector, std::slice::from_ref(&sample));
        let Value::Embedding(got) = &answers[0].0[0] else {
            panic!("an embedding");
        };
        let channels = match colour {
            Colour::Rgb => [0, 1, 2],
            Colour::Bgr => [2, 1, 0],
        };
        for (i, got) in got.iter().enumerate() {
            let (plane, pixel) = (i / (size * size), i % (size * size));
            let (frame, channel) = match view {
                View::Clip(Clip {
                    layout: ClipLayout::ChannelFirst,
                    ..
                }) => (plane % frames, plane / frames),
                _ => (plane / 3, plane % 3),
            };
            let c = channels[channel];
            let value = sample.frames[frame].as_raw()[3 * pixel + c];
            let expected = (f32::from(value) / 255.0 - echo.input.mean[c]) / echo.input.std[c];
            assert!(
                (got - expected).abs() < 1e-5,
                "{}: {got} at {i}, expected {expected}",
                card.id
            );
        }
    }
}

/// What the converted file gives is what the published code gives for the same weights and input.
#[cfg(feature = "import")]
#[test]
fn converted_weights_give_the_published_numbers() {
    for subject in imported() {
        let id = &subject.card.id;
        // Of joined parts `xtask parity` compares each.
        let Some(fixture) = fixture(id) else {
            continue;
        };
        if subject.card.task == Task::Encoder {
            // Its embedding is made of values within the network, which have no name in the fixture; `xtask parity`
            // compares the network.
            continue;
        }
        let input = &fixture.inputs[0];
        if input.shape[input.shape.len() - 1] != subject.card.input.size as usize {
            // Its sizes are in the deployed file; `xtask parity` compares the network at those of the fixture.
            continue;
        }
        let named = subject.card.heads[0].output();
        let expected = fixture
            .outputs
            .iter()
            .find(|o| named.is_none_or(|n| n == o.name));
        let expected = expected.unwrap_or_else(|| panic!("{id}: no output {named:?}"));
        let engine = realscope_engine::load(EngineKind::Rten, &subject.weights).expect("loads");
        let values = fixture.input(input).expect("by rule");
        let outputs = engine
            .run_all(&values, &input.shape, &Threads::all())
            .unwrap_or_else(|e| panic!("{id}: {e}"));
        let difference = expected.compare(&outputs[0].shape, &outputs[0].values);
        let difference = difference.unwrap_or_else(|e| panic!("{id}: {e}"));
        assert!(difference < 1e-4, "{id}: {difference}");
    }
}

/// Every detector of the catalog is under one of the tests above, or stands in the list with the reason.
#[test]
fn no_detector_is_left_out() {
    for entry in CATALOG {
        let card = (entry.card)().expect("a card");
        assert_eq!(card.id, entry.id);
        complete(&card);
        assert!(!entry.weights.is_empty(), "{}", entry.id);
        assert_eq!(catalog::find(entry.id).map(|e| e.id), Some(entry.id));
        for weights in entry.weights {
            if let Weights::Import { hint, .. } | Weights::Pinned { hint, .. } = weights {
                assert!(hint.contains(entry.id), "{}: {hint}", entry.id);
            }
        }
        #[cfg(feature = "import")]
        {
            assert!(
                entry.import().is_none() || parts(entry.id).is_some(),
                "{}: add crates/parity/fixtures/{}.json",
                entry.id,
                entry.id
            );
        }
    }
    let ids: Vec<&str> = CATALOG.iter().map(|e| e.id).collect();
    for (i, id) in ids.iter().enumerate() {
        assert!(!ids[..i].contains(id), "{id} twice");
    }
    for (alias, id) in catalog::ALIASES {
        assert!(ids.contains(id) && !ids.contains(alias), "{alias}");
    }
}
