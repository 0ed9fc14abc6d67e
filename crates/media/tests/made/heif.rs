//! HEIC and AVIF files put together from coded pictures.

use image::RgbImage;

use super::{Made, Near};

/// A coded picture.
#[derive(Clone)]
pub struct Coded {
    pub kind: [u8; 4],
    pub data: Vec<u8>,
    /// The box that configures the codec, whole.
    pub config: Vec<u8>,
    pub size: (u32, u32),
}

pub fn atom(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let data = parts.concat();
    [&(data.len() as u32 + 8).to_be_bytes()[..], kind, &data].concat()
}

fn full(kind: &[u8; 4], version: u8, flags: u8, parts: &[&[u8]]) -> Vec<u8> {
    let head = [version, 0, 0, flags];
    atom(kind, &[&[&head[..]][..], parts].concat())
}

fn find(file: &[u8], kind: &[u8; 4]) -> Vec<u8> {
    let at = file.windows(4).position(|w| w == kind).expect("the box") - 4;
    let len = u32::from_be_bytes(file[at..at + 4].try_into().expect("four")) as usize;
    file[at..at + len].to_vec()
}

/// HEVC of 8 or 10 bits.
pub fn hevc(picture: &RgbImage, deep: bool) -> Coded {
    let (width, height) = picture.dimensions();
    let options = heifer::EncodeOptions {
        quality: 100,
        max_threads: 1,
    };
    let file = if deep {
        let rgba = picture
            .pixels()
            .flat_map(|p| [p[0], p[1], p[2], 255].map(|v| u16::from(v) * 257))
            .collect();
        let wide = heifer::Image {
            width,
            height,
            bit_depth: 16,
            has_alpha: false,
            data: rgba,
        };
        heifer::encode(&wide, &options).expect("encodes")
    } else {
        heifer::encode_rgb8(width, height, picture.as_raw(), &options).expect("encodes")
    };
    let parsed = heifer::heifer_isobmff::HeifFile::parse(&file).expect("a file");
    Coded {
        kind: *b"hvc1",
        data: parsed
            .item_data(parsed.primary_id)
            .expect("data")
            .into_owned(),
        config: find(&file, b"hvcC"),
        size: (width, height),
    }
}

/// AV1 of 8 or 10 bits.
pub fn av1(picture: &RgbImage, deep: bool) -> Coded {
    let pixels: Vec<ravif::RGB8> = picture
        .pixels()
        .map(|p| ravif::RGB8::new(p[0], p[1], p[2]))
        .collect();
    let size = picture.dimensions();
    let file = ravif::Encoder::new()
        .with_quality(98.0)
        .with_speed(9)
        .with_bit_depth(if deep {
            ravif::BitDepth::Ten
        } else {
            ravif::BitDepth::Eight
        })
        .encode_rgb(ravif::Img::new(
            &pixels[..],
            size.0 as usize,
            size.1 as usize,
        ))
        .expect("encodes")
        .avif_file;
    Coded {
        kind: *b"av01",
        data: find(&file, b"mdat")[8..].to_vec(),
        config: find(&file, b"av1C"),
        size,
    }
}

/// A file under construction.
pub struct File {
    pub brands: Vec<[u8; 4]>,
    /// Type, data, whether hidden, and properties of each item; the first is item 1.
    #[allow(clippy::type_complexity)]
    pub items: Vec<([u8; 4], Vec<u8>, bool, Vec<Vec<u8>>)>,
    /// Type, from, to.
    pub references: Vec<([u8; 4], u16, Vec<u16>)>,
    pub primary: u16,
    /// Data of items stand in the `meta` box.
    pub inside: bool,
}

pub fn size(size: (u32, u32)) -> Vec<u8> {
    full(
        b"ispe",
        0,
        0,
        &[&size.0.to_be_bytes(), &size.1.to_be_bytes()],
    )
}

/// Code points: primaries, transfer, matrix; of full range.
pub fn nclx(points: [u16; 3]) -> Vec<u8> {
    let words: Vec<u8> = points.iter().flat_map(|p| p.to_be_bytes()).collect();
    atom(b"colr", &[b"nclx", &words, &[0x80]])
}

pub fn icc(profile: &[u8]) -> Vec<u8> {
    atom(b"colr", &[b"prof", profile])
}

/// Properties that turn the stored picture as an EXIF orientation would.
pub fn turn(orientation: u8) -> Vec<Vec<u8>> {
    let irot = |quarters: u8| atom(b"irot", &[&[quarters]]);
    let imir = |axis: u8| atom(b"imir", &[&[axis]]);
    match orientation {
        2 => vec![imir(1)],
        3 => vec![irot(2)],
        4 => vec![imir(0)],
        5 => vec![irot(3), imir(1)],
        6 => vec![irot(3)],
        7 => vec![irot(1), imir(1)],
        8 => vec![irot(1)],
        _ => Vec::new(),
    }
}

impl File {
    /// A file of one coded picture.
    pub fn of(coded: &Coded, properties: Vec<Vec<u8>>) -> Self {
        let own = vec![size(coded.size), coded.config.clone()];
        Self {
            brands: vec![
                if coded.kind == *b"av01" {
                    *b"avif"
                } else {
                    *b"heic"
                },
                *b"mif1",
            ],
            items: vec![(
                coded.kind,
                coded.data.clone(),
                false,
                [own, properties].concat(),
            )],
            references: Vec::new(),
            primary: 1,
            inside: false,
        }
    }

    /// A grid of coded tiles, cut to a size.
    pub fn grid(tiles: &[Coded], (rows, columns): (u8, u8), whole: (u32, u32)) -> Self {
        let mut file = Self::of(&tiles[0], Vec::new());
        file.items = tiles
            .iter()
            .map(|tile| {
                let own = vec![size(tile.size), tile.config.clone()];
                (tile.kind, tile.data.clone(), true, own)
            })
            .collect();
        let mut data = vec![0, 0, rows - 1, columns - 1];
        data.extend((whole.0 as u16).to_be_bytes());
        data.extend((whole.1 as u16).to_be_bytes());
        file.items.push((*b"grid", data, false, vec![size(whole)]));
        let id = file.items.len() as u16;
        file.references.push((*b"dimg", id, (1..id).collect()));
        file.primary = id;
        file
    }

    pub fn bytes(&self) -> Vec<u8> {
        let brands = self.brands.concat();
        let ftyp = atom(b"ftyp", &[&self.brands[0], &[0; 4], &brands]);
        let mut infos = (self.items.len() as u16).to_be_bytes().to_vec();
        let (mut properties, mut associations) = (Vec::new(), Vec::new());
        let mut count = 0_u8;
        for (i, (kind, _, hidden, own)) in self.items.iter().enumerate() {
            let id = (i as u16 + 1).to_be_bytes();
            infos.extend(full(
                b"infe",
                2,
                u8::from(*hidden),
                &[&id, &[0; 2], kind, &[0]],
            ));
            associations.extend(id);
            associations.push(own.len() as u8);
            for property in own {
                properties.extend(property);
                count += 1;
                associations.push(count);
            }
        }
        let references: Vec<u8> = self
            .references
            .iter()
            .flat_map(|(kind, from, to)| {
                let to: Vec<u8> = [to.len() as u16]
                    .iter()
                    .chain(to)
                    .flat_map(|v| v.to_be_bytes())
                    .collect();
                atom(kind, &[&from.to_be_bytes(), &to])
            })
            .collect();
        let data: Vec<u8> = self.items.iter().flat_map(|i| i.1.clone()).collect();
        let meta = |start: usize| {
            let mut at = start;
            let mut places = vec![0x44, 0];
            places.extend((self.items.len() as u16).to_be_bytes());
            for (i, item) in self.items.iter().enumerate() {
                places.extend((i as u16 + 1).to_be_bytes());
                places.extend(u16::from(self.inside).to_be_bytes());
                places.extend([0, 0, 0, 1]);
                places.extend((at as u32).to_be_bytes());
                places.extend((item.1.len() as u32).to_be_bytes());
                at += item.1.len();
            }
            let idat = if self.inside {
                atom(b"idat", &[&data])
            } else {
                Vec::new()
            };
            let handler = full(b"hdlr", 0, 0, &[&[0; 4], b"pict", &[0; 13]]);
            let iprp = atom(
                b"iprp",
                &[
                    &atom(b"ipco", &[&properties]),
                    &full(
                        b"ipma",
                        0,
                        0,
                        &[&(self.items.len() as u32).to_be_bytes(), &associations],
                    ),
                ],
            );
            full(
                b"meta",
                0,
                0,
                &[
                    &handler,
                    &full(b"pitm", 0, 0, &[&self.primary.to_be_bytes()]),
                    &full(b"iinf", 0, 0, &[&infos]),
                    &full(b"iref", 0, 0, &[&references]),
                    &iprp,
                    &full(b"iloc", 1, 0, &[&places]),
                    &idat,
                ],
            )
        };
        if self.inside {
            return [ftyp, meta(0)].concat();
        }
        let start = ftyp.len() + meta(0).len() + 8;
        [ftyp, meta(start), atom(b"mdat", &[&data])].concat()
    }
}

/// A sequence without a still picture: its one sample, named twice.
pub fn sequence(coded: &Coded) -> Vec<u8> {
    let brand: &[u8; 4] = if coded.kind == *b"av01" {
        b"avis"
    } else {
        b"hevc"
    };
    let ftyp = atom(b"ftyp", &[brand, &[0; 4], brand, b"msf1"]);
    let movie = |at: usize| {
        let mut entry = vec![0; 78];
        entry[24..26].copy_from_slice(&(coded.size.0 as u16).to_be_bytes());
        entry[26..28].copy_from_slice(&(coded.size.1 as u16).to_be_bytes());
        let stsd = full(
            b"stsd",
            0,
            0,
            &[
                &1_u32.to_be_bytes(),
                &atom(&coded.kind, &[&entry, &coded.config]),
            ],
        );
        let len = coded.data.len() as u32;
        let stsz = full(b"stsz", 0, 0, &[&len.to_be_bytes(), &2_u32.to_be_bytes()]);
        let at = at as u32;
        let stco = full(
            b"stco",
            0,
            0,
            &[&2_u32.to_be_bytes(), &at.to_be_bytes(), &at.to_be_bytes()],
        );
        let table = atom(b"stbl", &[&stsd, &stsz, &stco]);
        let handler = full(b"hdlr", 0, 0, &[&[0; 4], b"pict", &[0; 13]]);
        let media = atom(b"mdia", &[&handler, &atom(b"minf", &[&table])]);
        atom(b"moov", &[&atom(b"trak", &[&media])])
    };
    let start = ftyp.len() + movie(0).len() + 8;
    [ftyp, movie(start), atom(b"mdat", &[&coded.data])].concat()
}

/// The picture cut into tiles of a size; those at the edge repeat it.
pub fn tiles(picture: &RgbImage, (w, h): (u32, u32)) -> Vec<RgbImage> {
    let (width, height) = picture.dimensions();
    let mut tiles = Vec::new();
    for top in (0..height).step_by(h as usize) {
        for left in (0..width).step_by(w as usize) {
            tiles.push(RgbImage::from_fn(w, h, |x, y| {
                *picture.get_pixel((left + x).min(width - 1), (top + y).min(height - 1))
            }));
        }
    }
    tiles
}

pub fn all(base: &RgbImage) -> Vec<Made> {
    let mut all = Vec::new();
    // HEVC is written here with half the chroma, which costs more.
    type Coder = fn(&RgbImage, bool) -> Coded;
    let coders: [(&str, Coder, Near); 2] = [
        ("heic", hevc, Near::Mean(4.0)),
        ("avif", av1, Near::Mean(2.0)),
    ];
    for (end, coder, near) in coders {
        let mut add = |name: String, bytes: Vec<u8>| {
            all.push(Made {
                name: format!("{name}.{end}"),
                bytes,
                near,
            });
        };
        let plain = coder(base, false);
        add("8".into(), File::of(&plain, Vec::new()).bytes());
        add(
            "10".into(),
            File::of(&coder(base, true), Vec::new()).bytes(),
        );
        let by_brand = File {
            brands: vec![*b"mif1"],
            ..File::of(&plain, Vec::new())
        };
        add("by-its-item".into(), by_brand.bytes());
        let inside = File {
            inside: true,
            ..File::of(&plain, Vec::new())
        };
        add("inside".into(), inside.bytes());
        add("sequence".into(), sequence(&plain));
        let parts: Vec<Coded> = tiles(base, (128, 80))
            .iter()
            .map(|tile| coder(tile, false))
            .collect();
        add(
            "grid".into(),
            File::grid(&parts, (3, 2), base.dimensions()).bytes(),
        );
        for o in 1..=8 {
            let coded = coder(&super::stored_for(base, o), false);
            add(format!("o{o}"), File::of(&coded, turn(o)).bytes());
        }
        // A crop of what is larger: 16 columns on the left and 8 rows above.
        let larger = RgbImage::from_fn(base.width() + 32, base.height() + 16, |x, y| {
            let at = |v: u32, edge: u32, len: u32| v.saturating_sub(edge).min(len - 1);
            *base.get_pixel(at(x, 16, base.width()), at(y, 8, base.height()))
        });
        let numbers = [base.width(), 1, base.height(), 1, 0, 1, 0, 1];
        let numbers: Vec<u8> = numbers.iter().flat_map(|v| v.to_be_bytes()).collect();
        let clap = atom(b"clap", &[&numbers]);
        add(
            "crop".into(),
            File::of(&coder(&larger, false), vec![clap]).bytes(),
        );
    }
    all
}
