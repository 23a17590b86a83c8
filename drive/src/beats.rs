//! The beats of a job's streams, in the order of `docs/core.md`, "Tiles and the order of
//! everything".

use std::iter::Peekable;

use ndarray::{ArrayView1, ArrayView2};
use quaver_contract::config::Dataflow;
use quaver_contract::{BlockScales, CoreConfig, Job, Scale};

use crate::Random;

/// How a job is cut into tiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    rows: usize,
    cols: usize,
    lanes: usize,
    tile_rows: usize,
    dataflow: Dataflow,
}

/// Where a beat is in its matrix: its first row and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) row: usize,
    pub(crate) column: usize,
}

type Places<'j> = Peekable<Box<dyn Iterator<Item = Place> + Send + 'j>>;

impl Tiling {
    pub(crate) fn new(job: &Job<'_>, config: &CoreConfig) -> Self {
        Self {
            m: job.m(),
            n: job.n(),
            k: job.k(),
            rows: config.rows,
            cols: config.cols,
            lanes: config.lanes(),
            tile_rows: config.tile_rows,
            dataflow: config.dataflow,
        }
    }

    /// Terms of K in a tile.
    fn tile_k(self) -> usize {
        match self.dataflow {
            Dataflow::WeightStationary => self.rows * self.lanes,
            Dataflow::OutputStationary => self.lanes,
        }
    }

    /// Rows of M in a beat of A.
    fn a_rows(self) -> usize {
        match self.dataflow {
            Dataflow::WeightStationary => 1,
            Dataflow::OutputStationary => self.rows,
        }
    }

    /// Starts of the (n, m) tiles.
    fn result_tiles(self) -> impl Iterator<Item = (usize, usize)> + Send {
        let m_tiles = move |n0| (0..self.m).step_by(self.tile_rows).map(move |m0| (n0, m0));
        (0..self.n).step_by(self.cols).flat_map(m_tiles)
    }

    /// Starts of the (n, m, k) tiles.
    fn tiles(self) -> impl Iterator<Item = (usize, usize, usize)> + Send {
        let k_tiles = move |(n0, m0)| {
            (0..self.k)
                .step_by(self.tile_k())
                .map(move |k0| (n0, m0, k0))
        };
        self.result_tiles().flat_map(k_tiles)
    }

    fn tile_end(self, m0: usize) -> usize {
        self.m.min(m0 + self.tile_rows)
    }

    /// Beats of A: the first of its rows of M, at the first k of the tile.
    fn a(self) -> impl Iterator<Item = Place> + Send {
        self.tiles().flat_map(move |(_, m0, k0)| {
            (m0..self.tile_end(m0))
                .step_by(self.a_rows())
                .map(move |row| Place { row, column: k0 })
        })
    }

    /// Beats of B: the first k of an array row or of a step, at the first column of the tile.
    fn b(self) -> impl Iterator<Item = Place> + Send {
        self.tiles().flat_map(move |(n0, _, k0)| {
            let end = self.k.min(k0 + self.tile_k());
            (k0..end)
                .step_by(self.lanes)
                .map(move |row| Place { row, column: n0 })
        })
    }

    /// Beats of the initial values and of the results.
    pub(crate) fn d(self) -> impl Iterator<Item = Place> + Send {
        self.result_tiles().flat_map(move |(n0, m0)| {
            (m0..self.tile_end(m0)).map(move |row| Place { row, column: n0 })
        })
    }

    /// Number of result beats.
    pub(crate) fn d_count(self) -> usize {
        self.n.div_ceil(self.cols) * self.m
    }

    /// Position of the result beat that holds an element.
    pub(crate) fn d_position(self, row: usize, column: usize) -> usize {
        // Within an n tile the m tiles follow each other without gaps.
        column / self.cols * self.m + row
    }
}

/// What the beats of a stream hold.
#[derive(Clone, Copy)]
enum Content<'j> {
    /// Rows of A from the place on, each with consecutive k: how many of both.
    A(ArrayView2<'j, u8>, [usize; 2]),
    /// `lanes` rows of B from the place on.
    B(ArrayView2<'j, u8>, usize),
    /// A row of the initial values.
    C(ArrayView2<'j, u32>),
    /// Scales (in row 0) and biases (in row 1).
    P([Option<ArrayView1<'j, u32>>; 2]),
}

/// A stream's beats still to come.
pub(crate) struct Beats<'j> {
    content: Content<'j>,
    /// Of A and B, where the core takes them.
    scales: Option<BlockScales<'j>>,
    places: Places<'j>,
}

impl<'j> Beats<'j> {
    pub(crate) fn a(job: &Job<'j>, tiling: Tiling) -> Self {
        let shape = [tiling.a_rows(), tiling.tile_k()];
        Self {
            scales: job.blocks,
            ..Self::of(Content::A(job.a, shape), tiling.a())
        }
    }

    pub(crate) fn b(job: &Job<'j>, tiling: Tiling) -> Self {
        Self {
            scales: job.blocks,
            ..Self::of(Content::B(job.b, tiling.lanes), tiling.b())
        }
    }

    pub(crate) fn c(job: &Job<'j>, tiling: Tiling) -> Self {
        match job.init {
            Some(init) => Self::of(Content::C(init), tiling.d()),
            None => Self::none(),
        }
    }

    pub(crate) fn p(job: &Job<'j>, tiling: Tiling) -> Self {
        let scales = match job.scale {
            Scale::PerColumn(scales) => Some(scales),
            Scale::None | Scale::Tensor(_) => None,
        };
        let (has_scales, has_bias) = (scales.is_some(), job.bias.is_some());
        if tiling.m == 0 {
            return Self::none();
        }
        let places = (0..tiling.n)
            .step_by(tiling.cols)
            .flat_map(move |column| [(has_scales, 0, column), (has_bias, 1, column)])
            .filter(|&(has, ..)| has)
            .map(|(_, row, column)| Place { row, column });
        Self::of(Content::P([scales, job.bias]), places)
    }

    fn none() -> Self {
        Self::of(Content::P([None, None]), std::iter::empty())
    }

    fn of(content: Content<'j>, places: impl Iterator<Item = Place> + Send + 'j) -> Self {
        let places: Box<dyn Iterator<Item = Place> + Send + 'j> = Box::new(places);
        Self {
            content,
            scales: None,
            places: places.peekable(),
        }
    }

    /// Whether no beat is left.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.places.peek().is_none()
    }

    /// Puts the next beat into `words`, its scales of blocks into `user`, and random bits where
    /// they hold nothing: the core must ignore those. False when there are no more beats.
    pub(crate) fn next(
        &mut self,
        words: &mut [u32],
        user: &mut [u32],
        random: &mut Random,
    ) -> bool {
        let Some(Place { row, column }) = self.places.next() else {
            return false;
        };
        random.fill(words);
        random.fill(user);
        if let Some(scales) = &self.scales {
            let (bits, length) = (scales.format.bits(), scales.length);
            match self.content {
                Content::A(..) => {
                    let scale = scales.a[(row / scales.rows, column / length)];
                    put_scales(user, bits, std::iter::once(scale));
                }
                Content::B(b, _) => {
                    let of_column = |n| scales.b[(row / length, n / scales.cols)];
                    put_scales(user, bits, (column..b.ncols()).map(of_column));
                }
                Content::C(_) | Content::P(_) => {}
            }
        }
        match self.content {
            Content::A(a, [rows, terms]) => {
                for index in 0..rows.min(a.nrows() - row) {
                    let codes = a.row(row + index);
                    let valid = codes.iter().skip(column);
                    for (term, &code) in (0..terms).zip(valid) {
                        put_code(words, index * terms + term, code);
                    }
                }
            }
            Content::B(b, lanes) => {
                let cols = 4 * words.len() / lanes;
                for lane in 0..lanes.min(b.nrows() - row) {
                    let codes = b.row(row + lane);
                    let valid = codes.iter().skip(column);
                    for (col, &code) in (0..cols).zip(valid) {
                        put_code(words, col * lanes + lane, code);
                    }
                }
            }
            Content::C(values) => put_words(words, values.row(row), column),
            Content::P(values) => {
                let values = values[row].expect("only beats of values that exist have a place");
                put_words(words, values, column);
            }
        }
        true
    }
}

/// Puts codes of 8 or of 32 bits side by side.
fn put_scales(words: &mut [u32], bits: u32, codes: impl Iterator<Item = u32>) {
    let room = 32 * words.len() / bits as usize;
    for (position, code) in (0..room).zip(codes) {
        match u8::try_from(code) {
            Ok(code) if bits == 8 => put_code(words, position, code),
            _ => words[position] = code,
        }
    }
}

fn put_code(words: &mut [u32], position: usize, code: u8) {
    let shift = 8 * (position % 4);
    let word = &mut words[position / 4];
    *word = *word & !(0xff << shift) | u32::from(code) << shift;
}

fn put_words(words: &mut [u32], values: ArrayView1<'_, u32>, column: usize) {
    for (word, &value) in words.iter_mut().zip(values.iter().skip(column)) {
        *word = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiling(m: usize, n: usize, k: usize) -> Tiling {
        Tiling {
            m,
            n,
            k,
            rows: 2,
            cols: 3,
            lanes: 1,
            tile_rows: 2,
            dataflow: Dataflow::WeightStationary,
        }
    }

    fn pairs(places: impl Iterator<Item = Place>) -> Vec<(usize, usize)> {
        places.map(|p| (p.row, p.column)).collect()
    }

    #[test]
    fn order_vs_documented_loops() {
        // M = 3, N = 4, K = 3 on a 2 x 3 array with banks of 2 rows: 2 tiles each way.
        let t = tiling(3, 4, 3);
        let once = [(0, 0), (1, 0), (0, 2), (1, 2), (2, 0), (2, 2)];
        assert_eq!(pairs(t.a()), [once, once].concat());
        let b = |n0| [(0, n0), (1, n0), (2, n0)];
        assert_eq!(pairs(t.b()), [b(0), b(0), b(3), b(3)].concat());
        let d = [(0, 0), (1, 0), (2, 0), (0, 3), (1, 3), (2, 3)];
        assert_eq!(pairs(t.d()), d);
        assert_eq!(t.d_count(), d.len());
        for (position, &(row, column)) in d.iter().enumerate() {
            assert_eq!(t.d_position(row, column), position);
        }
    }

    #[test]
    fn lanes_share_a_beat_of_b() {
        let t = Tiling {
            lanes: 4,
            ..tiling(1, 1, 9)
        };
        assert_eq!(pairs(t.b()), [(0, 0), (4, 0), (8, 0)]);
        assert_eq!(pairs(t.a()), [(0, 0), (0, 8)]);
    }

    #[test]
    fn output_stationary_order_vs_documented_loops() {
        // M = 5, N = 4, K = 3 on a 2 x 3 array with two sums a PE and two products at once.
        let t = Tiling {
            lanes: 2,
            tile_rows: 4,
            dataflow: Dataflow::OutputStationary,
            ..tiling(5, 4, 3)
        };
        let once = [(0, 0), (2, 0), (0, 2), (2, 2), (4, 0), (4, 2)];
        assert_eq!(pairs(t.a()), [once, once].concat());
        let b = |n0| [(0, n0), (2, n0)];
        assert_eq!(pairs(t.b()), [b(0), b(0), b(3), b(3)].concat());
        let d = |n0| (0..5).map(move |row| (row, n0));
        assert_eq!(pairs(t.d()), d(0).chain(d(3)).collect::<Vec<_>>());
        // Two rows of two k each; what is beyond M or K stays random.
        let a = ndarray::arr2(&[
            [1u8, 2, 3],
            [4, 5, 6],
            [7, 8, 9],
            [10, 11, 12],
            [13, 14, 15],
        ]);
        let mut beats = Beats::of(Content::A(a.view(), [t.a_rows(), t.tile_k()]), t.a());
        let (mut word, mut random) = ([0], Random::new(0));
        let mut masked = |mask: u32| {
            assert!(beats.next(&mut word, &mut [], &mut random));
            word[0] & mask
        };
        assert_eq!(masked(u32::MAX), u32::from_le_bytes([1, 2, 4, 5]));
        assert_eq!(masked(u32::MAX), u32::from_le_bytes([7, 8, 10, 11]));
        assert_eq!(masked(0x00ff_00ff), u32::from_le_bytes([3, 0, 6, 0]));
        assert_eq!(masked(0x00ff_00ff), u32::from_le_bytes([9, 0, 12, 0]));
        assert_eq!(masked(0x0000_ffff), u32::from_le_bytes([13, 14, 0, 0]));
    }

    #[test]
    fn empty_dimensions_move_no_beats() {
        for (m, n, k) in [(0, 4, 3), (3, 0, 3)] {
            let t = tiling(m, n, k);
            assert_eq!((t.a().count(), t.b().count(), t.d().count()), (0, 0, 0));
            assert_eq!(t.d_count(), 0);
        }
        let t = tiling(3, 4, 0);
        assert_eq!((t.a().count(), t.b().count(), t.d().count()), (0, 0, 6));
    }
}
