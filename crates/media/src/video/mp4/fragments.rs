//! Samples of movie fragments (ISO/IEC 14496-12, section 8.8): streams that were saved, recordings that survive a cut.

use std::io::{Read, Seek};

use super::super::error::{corrupt, limit, truncated};
use super::super::limits::VideoLimits;
use super::{Clock, Kind, MAX_INDEX, Sample, Track, Walk, boxes, find, long, scale, word};
use crate::error::MediaError;

/// Most boxes of a file behind its index. A stream of an hour with a fragment for each frame has some 200,000.
const MAX_BOXES: u64 = 400_000;

// Flags of the header of a track's fragment (section 8.8.7).
const HAS_BASE: u32 = 0x1;
const HAS_DESCRIPTION: u32 = 0x2;
const HAS_DURATION: u32 = 0x8;
const HAS_SIZE: u32 = 0x10;
const HAS_FLAGS: u32 = 0x20;
const BASE_IS_FRAGMENT: u32 = 0x2_0000;

// Flags of a run of samples (section 8.8.8).
const RUN_OFFSET: u32 = 0x1;
const RUN_FIRST_FLAGS: u32 = 0x4;
const EACH_DURATION: u32 = 0x100;
const EACH_SIZE: u32 = 0x200;
const EACH_FLAGS: u32 = 0x400;
const EACH_SHIFT: u32 = 0x800;

/// A sample with this flag does not decode on its own (section 8.8.3.1).
const NOT_SYNC: u32 = 0x1_0000;

/// What holds of a sample whose run does not say it.
#[derive(Clone, Copy, Debug, Default)]
struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

/// Appends the samples of all fragments behind the index; whether the index of the last one ends early.
pub(super) fn append(
    track: &mut Track,
    clock: Clock,
    trak: &[u8],
    mvex: &[u8],
    walk: &mut Walk<'_, impl Read + Seek>,
    limits: &VideoLimits,
) -> Result<bool, MediaError> {
    let id = find(trak, &[b"tkhd"])
        .and_then(scale)
        .ok_or_else(|| corrupt("the track of pictures has no identity"))?;
    let defaults = boxes(mvex)
        .filter(|(kind, _)| kind == b"trex")
        .find(|(_, c)| word(c, 4) == Some(id))
        .and_then(|(_, c)| {
            Some(Defaults {
                duration: word(c, 12)?,
                size: word(c, 16)?,
                flags: word(c, 20)?,
            })
        })
        .unwrap_or_default();
    let mut fragments = Fragments {
        samples: &mut track.samples,
        id,
        defaults,
        clock,
        limits,
    };
    let mut room = MAX_INDEX;
    for _ in 0..MAX_BOXES {
        let head = match walk.next() {
            Ok(Some(head)) => head,
            // The last box is longer than what is there of it.
            Ok(None) => return Ok(walk.at > walk.length),
            // A file that was cut ends within a head; the samples ahead of it stand.
            Err(MediaError::Truncated { .. }) if !fragments.samples.is_empty() => return Ok(true),
            Err(e) => return Err(e),
        };
        if head.kind != *b"moof" {
            continue;
        }
        if head.end > walk.length && !fragments.samples.is_empty() {
            return Ok(true);
        }
        let moof = walk.read(&head, room)?;
        room -= moof.len() as u64;
        fragments.add(&moof, head.start)?;
    }
    Err(limit("boxes", MAX_BOXES + 1, MAX_BOXES))
}

struct Fragments<'a> {
    samples: &'a mut Vec<Sample>,
    /// Identity of the track.
    id: u32,
    defaults: Defaults,
    /// The time of the track, up to the samples that were read.
    clock: Clock,
    limits: &'a VideoLimits,
}

impl Fragments<'_> {
    /// Adds the samples of the fragment that begins at `start`.
    fn add(&mut self, moof: &[u8], start: u64) -> Result<(), MediaError> {
        // Where the data of the track ahead ends: a track that names no place goes on there.
        let mut next = start;
        for (_, traf) in boxes(moof).filter(|(kind, _)| kind == b"traf") {
            next = self.add_track(traf, start, next)?;
        }
        Ok(())
    }

    fn add_track(&mut self, traf: &[u8], start: u64, next: u64) -> Result<u64, MediaError> {
        let short = || truncated("the index of a fragment ends early");
        let tfhd = find(traf, &[b"tfhd"]).ok_or_else(|| corrupt("a fragment has no header"))?;
        let mut fields = Fields::of(tfhd).ok_or_else(short)?;
        let flags = fields.flags;
        let id = fields.word().ok_or_else(short)?;
        let base = if flags & HAS_BASE != 0 {
            fields.long().ok_or_else(short)?
        } else if flags & BASE_IS_FRAGMENT != 0 {
            start
        } else {
            next
        };
        let mut field = |flag: u32, default: u32| {
            if flags & flag == 0 {
                return Some(default);
            }
            fields.word()
        };
        field(HAS_DESCRIPTION, 0).ok_or_else(short)?;
        let defaults = Defaults {
            duration: field(HAS_DURATION, self.defaults.duration).ok_or_else(short)?,
            size: field(HAS_SIZE, self.defaults.size).ok_or_else(short)?,
            flags: field(HAS_FLAGS, self.defaults.flags).ok_or_else(short)?,
        };
        let ours = id == self.id;
        if let Some(tfdt) = find(traf, &[b"tfdt"]).filter(|_| ours) {
            let time = match tfdt.first() {
                Some(1) => long(tfdt, 4),
                _ => word(tfdt, 4).map(u64::from),
            };
            self.clock.end = time.ok_or_else(short)?;
        }
        let mut at = base;
        for (_, trun) in boxes(traf).filter(|(kind, _): &(Kind, _)| kind == b"trun") {
            at = self.run(trun, base, at, defaults, ours)?;
        }
        Ok(at)
    }

    /// Adds a run of samples whose data begin at `at` unless it says where; the place where they end. A run of another
    /// track is passed over.
    fn run(
        &mut self,
        trun: &[u8],
        base: u64,
        at: u64,
        defaults: Defaults,
        ours: bool,
    ) -> Result<u64, MediaError> {
        let short = || truncated("a run of samples is longer than the box that holds it");
        let far = || corrupt("samples of a fragment lie outside any file");
        let mut fields = Fields::of(trun).ok_or_else(short)?;
        let flags = fields.flags;
        let count = fields.word().ok_or_else(short)?;
        let all = self.samples.len() as u64 + u64::from(count);
        if all > self.limits.max_frames && ours {
            return Err(limit("frames", all, self.limits.max_frames));
        }
        let mut at = at;
        if flags & RUN_OFFSET != 0 {
            let offset = fields.word().ok_or_else(short)? as i32;
            at = base.checked_add_signed(i64::from(offset)).ok_or_else(far)?;
        }
        let mut first = None;
        if flags & RUN_FIRST_FLAGS != 0 {
            first = Some(fields.word().ok_or_else(short)?);
        }
        let each = [EACH_DURATION, EACH_SIZE, EACH_FLAGS, EACH_SHIFT];
        let width = each.iter().filter(|f| flags & **f != 0).count();
        if u64::from(count) * width as u64 * 4 > fields.rest.len() as u64 {
            return Err(short());
        }
        if !ours && flags & EACH_SIZE == 0 {
            let bytes = u64::from(count) * u64::from(defaults.size);
            return at.checked_add(bytes).ok_or_else(far);
        }
        let unit = f64::from(self.clock.scale);
        for _ in 0..count {
            let mut field = |flag: u32, default: u32| {
                if flags & flag == 0 {
                    return Some(default);
                }
                fields.word()
            };
            let duration = field(EACH_DURATION, defaults.duration).ok_or_else(short)?;
            let size = field(EACH_SIZE, defaults.size).ok_or_else(short)?;
            let default = first.take().unwrap_or(defaults.flags);
            let told = field(EACH_FLAGS, default).ok_or_else(short)?;
            let shift = field(EACH_SHIFT, 0).ok_or_else(short)? as i32;
            if ours {
                self.samples.push(Sample {
                    offset: at,
                    size,
                    time: (self.clock.end as f64 + f64::from(shift)) / unit,
                    duration: f64::from(duration) / unit,
                    sync: told & NOT_SYNC == 0,
                    shown: true,
                });
                self.clock.end = self.clock.end.saturating_add(duration.into());
            }
            at = at.checked_add(size.into()).ok_or_else(far)?;
        }
        Ok(at)
    }
}

/// Fields one after the other behind a version and flags.
struct Fields<'a> {
    flags: u32,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(content: &'a [u8]) -> Option<Self> {
        Some(Self {
            flags: word(content, 0)? & 0xff_ffff,
            rest: content.get(4..)?,
        })
    }

    fn word(&mut self) -> Option<u32> {
        let value = word(self.rest, 0)?;
        self.rest = &self.rest[4..];
        Some(value)
    }

    fn long(&mut self) -> Option<u64> {
        let value = long(self.rest, 0)?;
        self.rest = &self.rest[8..];
        Some(value)
    }
}
