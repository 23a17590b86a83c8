//! `quaver_psum_memory`, `quaver_psum_column` and `quaver_psum_bank`: the partial sums.
//!
//! Column c of the array lags column 0 by c clocks, so addresses travel beside the columns: a
//! delay line for the launches and one for the write-backs.

use crate::line::Line;
use crate::shape::Shape;
use crate::trace::{Visitor, VisitorExt as _};

/// A row on its way into the array or out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) valid: bool,
    /// The last row of the last k tile; means nothing for a launch.
    pub(crate) last: bool,
    pub(crate) bank: u8,
    pub(crate) row: u16,
}

/// A whole row of a bank.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowOf {
    pub(crate) bank: usize,
    pub(crate) row: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct PsumMemory {
    cols: usize,
    /// Words of 32 bits in each word of the memory.
    words: usize,
    /// Row after row, `cols` of the memory's words each.
    memory: [Vec<u32>; 2],
    /// `read_data_q` of each bank, for each column.
    read_data_q: [Vec<u32>; 2],
    /// What column c launched c clocks ago at column 0, newest first. After a clock, element c is
    /// `launch_*_q` of column c, and element c-1 is the travelling register before it.
    launch: Line<Access>,
    /// Likewise for what is written back.
    retire: Line<Access>,
    /// `drain_bank_q`, the same in all columns.
    drain_bank_q: usize,
    /// `psum_o`: what follows from the registers.
    psum_o: Vec<u32>,
}

impl PsumMemory {
    pub(crate) fn new(shape: &Shape) -> Self {
        let cols = shape.cols;
        let words = shape.memory_words();
        let zeros = |rows: usize| vec![0; rows * cols * words];
        let bank = || zeros(shape.tile_rows);
        Self {
            cols,
            words,
            memory: [bank(), bank()],
            read_data_q: [zeros(1), zeros(1)],
            launch: Line::new(cols),
            retire: Line::new(cols),
            drain_bank_q: 0,
            psum_o: zeros(1),
        }
    }

    /// The memories and their output registers have no reset.
    pub(crate) fn reset(&mut self) {
        self.launch.clear();
        self.retire.clear();
        self.drain_bank_q = 0;
        self.psum_o.fill(0);
    }

    pub(crate) fn psum_o(&self) -> &[u32] {
        &self.psum_o
    }

    /// `drain_psum_o`: the words of all columns.
    pub(crate) fn drain_psum_o(&self) -> &[u32] {
        &self.read_data_q[self.drain_bank_q]
    }

    /// The bank that is complete once this clock's write-back in the last column is done.
    pub(crate) fn computed(&self, retire: &Access) -> Option<usize> {
        // The write-back that the last column has now was in column 0 that many clocks ago.
        let end = match self.cols {
            1 => retire,
            cols => &self.retire.window()[cols - 2],
        };
        (end.last && end.valid).then_some(end.bank.into())
    }

    pub(crate) fn clock(
        &mut self,
        launch: Access,
        retire: Access,
        psum_i: &[u32],
        preload: Option<(RowOf, &[u32])>,
        drain: Option<RowOf>,
    ) {
        self.launch.push(launch);
        self.retire.push(retire);
        let (words, width) = (self.words, self.cols * self.words);
        let columns = self.launch.window().iter().zip(self.retire.window());
        for (col, (launch, retire)) in columns.enumerate() {
            let cells = words * col..words * (col + 1);
            let place = |access: &Access| usize::from(access.row) * width + cells.start;
            self.psum_o[cells.clone()].fill(0);
            // A word is never read in the clock that writes it, so the order does not matter.
            if launch.valid {
                let bank = usize::from(launch.bank);
                let word = &self.memory[bank][place(launch)..][..words];
                self.read_data_q[bank][cells.clone()].copy_from_slice(word);
                self.psum_o[cells.clone()].copy_from_slice(word);
            }
            if retire.valid {
                let bank = usize::from(retire.bank);
                self.memory[bank][place(retire)..][..words].copy_from_slice(&psum_i[cells]);
            }
        }
        if let Some(RowOf { bank, row }) = drain {
            let row = &self.memory[bank][row as usize * width..][..width];
            self.read_data_q[bank].copy_from_slice(row);
            self.drain_bank_q = bank;
        }
        if let Some((RowOf { bank, row }, init)) = preload {
            let row = &mut self.memory[bank][row as usize * width..][..width];
            // Of two levels the outer one, in the high word, starts from the initial value.
            row.fill(0);
            for (word, &init) in row.chunks_exact_mut(words).zip(init) {
                word[words - 1] = init;
            }
        }
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        let fields = |a: &Access, with_last: bool| {
            let last = with_last.then_some((a.last.into(), 1));
            let fields = [
                (a.row.into(), shape.row_bits),
                (a.bank.into(), 1),
                (a.valid.into(), 1),
            ];
            fields.into_iter().chain(last)
        };
        let lines = [
            ("u_launch", &self.launch, false),
            ("u_retire", &self.retire, true),
        ];
        for col in 1..self.cols {
            v.scope("gen_travel", Some(col), |v| {
                for (name, line, with_last) in lines {
                    v.scope(name, None, |v| {
                        v.scope("gen_line", None, |v| {
                            v.packed("line_q", fields(&line.window()[col - 1], with_last));
                        });
                    });
                }
            });
        }
        for col in 0..self.cols {
            let launch = &self.launch.window()[col];
            v.scope("gen_column", Some(col), |v| {
                v.scope("u_column", None, |v| {
                    v.flag("launch_valid_q", launch.valid);
                    v.bits("launch_bank_q", 1, launch.bank.into());
                    v.bits("drain_bank_q", 1, self.drain_bank_q as u32);
                    for (bank, name) in ["u_bank_0", "u_bank_1"].into_iter().enumerate() {
                        let word = &self.read_data_q[bank][self.words * col..][..self.words];
                        v.scope(name, None, |v| match shape.memory_bits() {
                            32 => v.fp32("read_data_q", word[0]),
                            bits => v.register("read_data_q", bits, word, None),
                        });
                    }
                });
            });
        }
    }

    /// Every word of the banks: bank, row, column, and its bits in words of 32.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, usize, usize, &[u32])> {
        let cols = self.cols;
        self.memory
            .iter()
            .enumerate()
            .flat_map(move |(bank, words)| {
                let place = move |(i, word)| (bank, i / cols, i % cols, word);
                words.chunks_exact(self.words).enumerate().map(place)
            })
    }
}
