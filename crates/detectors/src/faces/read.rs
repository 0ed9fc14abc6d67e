//! From the network's numbers to faces.

use super::{Found, SIZE};

/// Cells of the two maps, each way, and anchors of each cell.
const MAPS: [(u32, usize); 2] = [(16, 2), (8, 6)];
/// Numbers of an anchor: the box (centre, size) and six points.
const NUMBERS: usize = 16;
/// Overlap, as a share of the smaller box, from which two boxes are one face.
const SAME: f32 = 0.5;

/// Middles of the anchors, in pixels of the input: by map, row, column and anchor of a cell.
fn anchors() -> impl Iterator<Item = [f32; 2]> {
    MAPS.into_iter().flat_map(|(cells, count)| {
        let step = SIZE as f32 / cells as f32;
        let middle = move |i: u32| (i as f32 + 0.5) * step;
        (0..cells * cells).flat_map(move |i| {
            let at = [middle(i % cells), middle(i / cells)];
            std::iter::repeat_n(at, count)
        })
    })
}

/// Faces with at least the score `least`, in pixels of the input. `regression` is `[anchors, 16]`, `classification`
/// has a logit an anchor. Numbers that are no box are passed over.
pub(super) fn faces(regression: &[f32], classification: &[f32], least: f32) -> Vec<Found> {
    let rows = regression.as_chunks::<NUMBERS>().0.iter();
    let all = rows.zip(classification).zip(anchors());
    all.filter_map(|((row, logit), [x, y])| {
        let score = 1.0 / (1.0 + (-logit).exp());
        let [cx, cy, w, h] = [x + row[0], y + row[1], row[2], row[3]];
        let point = |i: usize| [x + row[4 + 2 * i], y + row[5 + 2 * i]];
        let is_box = row.iter().all(|v| v.is_finite()) && w > 0.0 && h > 0.0;
        (score >= least && is_box).then(|| Found {
            edges: [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0],
            points: std::array::from_fn(point),
            score,
        })
    })
    .collect()
}

/// One box a face: the mean of the boxes that overlap the one with the highest score, weighed by their scores.
pub(super) fn distinct(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut out = Vec::new();
    while !found.is_empty() {
        let best = found.remove(0);
        let (mut same, others): (Vec<Found>, Vec<Found>) =
            found.into_iter().partition(|f| f.overlap(&best) >= SAME);
        same.push(best);
        found = others;
        // A box of quite another size is another look at the face, less exact or of a part of it.
        let like = |f: &&Found| {
            let ratio = f.area() / best.area();
            *f == &best || (0.5..=2.0).contains(&ratio)
        };
        let same: Vec<&Found> = same.iter().filter(like).collect();
        let weight: f32 = same.iter().map(|f| f.score).sum();
        let mean = |of: &dyn Fn(&Found) -> f32| {
            same.iter().map(|f| f.score * of(f)).sum::<f32>() / weight.max(f32::MIN_POSITIVE)
        };
        out.push(Found {
            edges: std::array::from_fn(|i| mean(&|f| f.edges[i])),
            points: std::array::from_fn(|i| [0, 1].map(|axis| mean(&|f| f.points[i][axis]))),
            score: best.score,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_lie_in_the_middle_of_their_cells() {
        let all: Vec<[f32; 2]> = anchors().collect();
        assert_eq!(all.len(), 896);
        assert_eq!(all[..3], [[4.0, 4.0], [4.0, 4.0], [12.0, 4.0]]);
        assert_eq!(all[511], [124.0, 124.0]);
        assert_eq!(all[512], [8.0, 8.0]);
        assert_eq!(all[895], [120.0, 120.0]);
    }

    #[test]
    fn only_boxes_with_a_score_are_read() {
        let mut regression = vec![0.0; 896 * NUMBERS];
        let mut logits = vec![-9.0; 896];
        // The first anchor of the second row of the coarse map, at (8, 24).
        let i = 512 + 6 * 8;
        regression[i * NUMBERS..][..6].copy_from_slice(&[1.0, 2.0, 10.0, 20.0, -3.0, 4.0]);
        logits[i] = 3.0;
        // A score without a size.
        logits[5] = 9.0;
        let found = faces(&regression, &logits, 0.7);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].edges, [4.0, 16.0, 14.0, 36.0]);
        assert_eq!(found[0].points[0], [5.0, 28.0]);
        assert!((found[0].score - 0.9526).abs() < 1e-4);
        logits[i] = f32::NAN;
        assert_eq!(faces(&regression, &logits, 0.7), []);
        assert_eq!(faces(&[], &[], 0.7), []);
    }

    #[test]
    fn boxes_of_one_face_become_one() {
        let of = |edges: [f32; 4], score| Found {
            edges,
            points: [[edges[0], edges[1]]; 6],
            score,
        };
        let found = distinct(vec![
            of([0.0, 0.0, 10.0, 10.0], 0.8),
            of([2.0, 0.0, 12.0, 10.0], 0.8),
            of([50.0, 50.0, 60.0, 60.0], 0.9),
            // A part of the first.
            of([1.0, 1.0, 4.0, 4.0], 0.75),
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].edges, [50.0, 50.0, 60.0, 60.0]);
        let expected = [1.0, 0.0, 11.0, 10.0];
        let close = |(a, b): (&f32, f32)| (a - b).abs() < 1e-5;
        assert!(found[1].edges.iter().zip(expected).all(close), "{found:?}");
        assert_eq!(distinct(Vec::new()), []);
    }
}
