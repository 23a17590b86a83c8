//! Decoding and packing of operands into the panels that kernels read.

use ndarray::ArrayView2;

use crate::Isa;
use crate::decode::Decoder;
#[cfg(target_arch = "x86_64")]
use crate::pack_vbmi;

/// Terms of a row that are decoded at a time.
const RUN: usize = 256;

/// Packs A's block into panels of `tile` rows (the last one narrower): for each panel, for each k,
/// its rows' values next to each other.
pub(crate) fn pack_a(
    isa: Isa,
    decoder: &Decoder,
    block: ArrayView2<'_, u8>,
    tile: usize,
    out: &mut [f32],
) {
    let (rows, k) = block.dim();
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 && tile <= pack_vbmi::LINES {
        let panel = |first: usize| {
            let height = tile.min(rows - first);
            (first, height, first * k, height)
        };
        let panels = (0..rows).step_by(tile).map(panel);
        if in_registers(decoder, block, panels, out) {
            return;
        }
    }
    let mut decoded = [0.0; RUN];
    for first in (0..rows).step_by(tile) {
        let height = tile.min(rows - first);
        let panel = &mut out[first * k..][..height * k];
        for i in 0..height {
            let row = block.row(first + i);
            let Some(codes) = row.as_slice() else {
                for (values, &code) in panel.chunks_exact_mut(height).zip(row) {
                    values[i] = decoder.one(code);
                }
                continue;
            };
            for (codes, values) in codes.chunks(RUN).zip(panel.chunks_mut(RUN * height)) {
                let decoded = &mut decoded[..codes.len()];
                decoder.slice(isa, codes, decoded);
                for (values, &value) in values.chunks_exact_mut(height).zip(&*decoded) {
                    values[i] = value;
                }
            }
        }
    }
}

/// Packs parts of lines: the first line and how many of them are there, where the values of a part's first
/// term begin, and how far those of two terms are apart. `false` where the machine or the strides do not allow
/// it, and nothing was done.
#[cfg(target_arch = "x86_64")]
fn in_registers(
    decoder: &Decoder,
    lines: ArrayView2<'_, u8>,
    parts: impl Iterator<Item = (usize, usize, usize, usize)>,
    out: &mut [f32],
) -> bool {
    let Some(tables) = decoder.tables() else {
        return false;
    };
    let terms = lines.ncols();
    let (along, across) = (lines.strides()[1] == 1, lines.strides()[0] == 1);
    if terms == 0 || !(along || across) {
        return false;
    }
    for (first, count, at, stride) in parts {
        // A panel of few lines has no room for more, one of many has whole parts.
        let written = pack_vbmi::LINES.min(stride);
        assert!(
            out.len() >= at + (terms - 1) * stride + written,
            "room for the panel"
        );
        let lines_of_part = pack_vbmi::Lines {
            codes: lines
                .as_ptr()
                .wrapping_offset(first as isize * lines.strides()[0]),
            count,
            stride: lines.strides()[usize::from(!along)],
            terms,
        };
        let panel = pack_vbmi::Panel {
            values: out[at..].as_mut_ptr(),
            stride,
            written: u16::MAX >> (pack_vbmi::LINES - written),
        };
        // SAFETY: the lines are in the view, and the assertion saw room for their values; whoever has tables
        // has seen the instructions.
        unsafe {
            match along {
                true => pack_vbmi::along(tables, lines_of_part, panel),
                false => pack_vbmi::across(tables, lines_of_part, panel),
            }
        }
    }
    true
}

/// Values from one panel of B to the next: one cache line more than its size, so that a row of the
/// block does not fall on one set of the cache.
pub(crate) const fn panel_stride(tile: usize, k: usize) -> usize {
    tile * k + 16
}

/// Packs B's block into panels of `tile` columns (the last one padded with +0, whose sums are
/// never stored): for each panel, for each k, its columns' values next to each other.
pub(crate) fn pack_b(
    isa: Isa,
    decoder: &Decoder,
    block: ArrayView2<'_, u8>,
    tile: usize,
    out: &mut [f32],
) {
    if block.ncols() > 1 && block.strides()[1] != 1 {
        #[cfg(target_arch = "x86_64")]
        if isa == Isa::Avx512 && tile.is_multiple_of(pack_vbmi::LINES) {
            let (k, cols) = block.dim();
            let part = |first: usize| {
                let at = first / tile * panel_stride(tile, k) + first % tile;
                let there = pack_vbmi::LINES.min(cols.saturating_sub(first));
                (first, there, at, tile)
            };
            let parts = (0..cols.next_multiple_of(tile)).step_by(pack_vbmi::LINES);
            if in_registers(decoder, block.reversed_axes(), parts.map(part), out) {
                return;
            }
        }
        return pack_strided(decoder, block, tile, out);
    }
    match tile {
        8 => pack_rows::<8>(isa, decoder, &block, out),
        16 => pack_rows::<16>(isa, decoder, &block, out),
        32 => pack_rows::<32>(isa, decoder, &block, out),
        _ => pack_strided(decoder, block, tile, out),
    }
}

/// Rows whose codes are next to each other: decoded with vector instructions.
fn pack_rows<const TILE: usize>(
    isa: Isa,
    decoder: &Decoder,
    block: &ArrayView2<'_, u8>,
    out: &mut [f32],
) {
    let panel = panel_stride(TILE, block.nrows());
    for (index, row) in block.rows().into_iter().enumerate() {
        let Some(codes) = row.to_slice() else {
            unreachable!("the caller saw contiguous rows");
        };
        let (whole, rest) = codes.as_chunks::<TILE>();
        let first_panel = &mut out[index * TILE..];
        decoder.chunks(isa, whole, first_panel, panel);
        if !rest.is_empty() {
            let mut padded = [0; TILE];
            padded[..rest.len()].copy_from_slice(rest);
            decoder.chunks(
                isa,
                &[padded],
                &mut first_panel[whole.len() * panel..],
                panel,
            );
        }
    }
}

/// Any strides, by table.
fn pack_strided(decoder: &Decoder, block: ArrayView2<'_, u8>, tile: usize, out: &mut [f32]) {
    let (k, cols) = block.dim();
    for first in (0..cols).step_by(tile) {
        let panel = &mut out[first / tile * panel_stride(tile, k)..][..tile * k];
        let width = tile.min(cols - first);
        for (i, col) in block
            .columns()
            .into_iter()
            .skip(first)
            .take(width)
            .enumerate()
        {
            for (values, &code) in panel.chunks_exact_mut(tile).zip(col) {
                values[i] = decoder.one(code);
            }
        }
        for values in panel.chunks_exact_mut(tile) {
            values[width..].fill(0.0);
        }
    }
}
