//! In which order DeMamba's block sees the tokens of a clip (section 4.2 of the paper).
//!
//! A token is counted frame by frame, then by row and column.

/// Which tokens make a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the paper describes it: a sequence is a square zone over all frames.
    Paper,
    /// As the published code has it, which trained files need: the grid is cut in as many parts as a zone should have
    /// tokens, and a sequence is a run of neighbours in the order part, frame, row, column.
    Published,
}

/// Places of a square zone of `side` tokens, row by row, in the order of the scan: column by column, alternately down and
/// up.
#[must_use]
pub fn snake(side: usize) -> Vec<usize> {
    let column = |c: usize| {
        (0..side).map(move |i| {
            let row = if c.is_multiple_of(2) { i } else { side - 1 - i };
            row * side + c
        })
    };
    (0..side).flat_map(column).collect()
}

/// The sequences of a clip of `frames` with `grid x grid` tokens each: the place in the zone of `side x side` is the outer
/// index, the frame the inner one.
///
/// A row or column of zones that the grid has no whole room for is left out.
#[must_use]
pub fn sequences(frames: usize, grid: usize, side: usize, order: Order) -> Vec<Vec<usize>> {
    let across = grid / side;
    let token = |frame: usize, row: usize, column: usize| (frame * grid + row) * grid + column;
    let tokens: Vec<usize> = match order {
        Order::Paper => {
            let zones = (0..across * across).map(|zone| (zone / across, zone % across));
            let of_frames = zones.flat_map(|zone| (0..frames).map(move |f| (zone, f)));
            of_frames
                .flat_map(|((row, column), f)| {
                    let places = (0..side * side).map(|place| (place / side, place % side));
                    places.map(move |(r, c)| token(f, row * side + r, column * side + c))
                })
                .collect()
        }
        Order::Published => {
            let parts = (0..side * side).map(|part| (part / side, part % side));
            let of_frames = parts.flat_map(|part| (0..frames).map(move |f| (part, f)));
            of_frames
                .flat_map(|((row, column), f)| {
                    let places = (0..across * across).map(|place| (place / across, place % across));
                    places.map(move |(r, c)| token(f, row * across + r, column * across + c))
                })
                .collect()
        }
    };
    let snake = snake(side);
    let length = frames * side * side;
    let run = |run: &[usize]| {
        let places = snake.iter();
        let of_frames = places.flat_map(|place| (0..frames).map(move |f| f * side * side + place));
        of_frames.map(|i| run[i]).collect()
    };
    tokens.chunks_exact(length).map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_scanned_down_and_up() {
        assert_eq!(snake(1), [0]);
        assert_eq!(snake(2), [0, 2, 3, 1]);
        assert_eq!(snake(3), [0, 3, 6, 7, 4, 1, 2, 5, 8]);
    }

    #[test]
    fn every_token_stands_in_one_sequence() {
        for order in [Order::Paper, Order::Published] {
            for side in [1, 2, 7] {
                let mut all = sequences(8, 14, side, order).concat();
                all.sort_unstable();
                assert_eq!(all, (0..8 * 14 * 14).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_zone_of_the_paper_is_one_place_over_time() {
        let first = &sequences(3, 4, 2, Order::Paper)[1];
        assert_eq!(first, &[2, 18, 34, 6, 22, 38, 7, 23, 39, 3, 19, 35]);
    }
}
