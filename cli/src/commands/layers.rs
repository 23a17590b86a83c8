//! Layers as products: given sizes, a layer's description, or a SCALE-Sim topology.

use std::path::Path;

use crate::error::CliError;

/// A product `D[M,N] = A[M,K] * B[K,N]` with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) name: String,
    pub(crate) m: u64,
    pub(crate) n: u64,
    pub(crate) k: u64,
}

/// What `--layer` and `--layers` take, for a command's help.
pub(crate) const LAYERS: &str = "\
LAYERS:
  gemm:M,N,K                      D[M,N] = A[M,K] * B[K,N]
  linear:BATCH,INPUTS,OUTPUTS     a row of A for each of the batch
  conv:N,C,H,W,K,R,S,STRIDE,PAD   by im2col: N images of C x H x W, K filters of R x S
  --layers FILE.csv               a SCALE-Sim topology of convolutions or of products
";

const KINDS: &str = "gemm:M,N,K, linear:BATCH,INPUTS,OUTPUTS or conv:N,C,H,W,K,R,S,STRIDE,PAD";

/// Products of more terms than this are refused: their clocks would not fit in 64 bits.
const MAX_TERMS: u64 = 1 << 56;

impl Layer {
    pub(crate) fn new(name: &str, [m, n, k]: [u64; 3]) -> Option<Self> {
        let fits = |size: u64| size < 1 << 32;
        let terms = m.max(1).checked_mul(n.max(1))?.checked_mul(k.max(1))?;
        ([m, n, k].into_iter().all(fits) && terms <= MAX_TERMS).then(|| Self {
            name: name.to_owned(),
            m,
            n,
            k,
        })
    }

    /// A convolution by im2col: a row for each place of the filters, a column for each filter.
    fn conv(
        name: &str,
        [batch, channels, height, width, filters, r, s, stride, pad]: [u64; 9],
    ) -> Option<Self> {
        let places = |size: u64, filter: u64| {
            let room = size.checked_add(pad.checked_mul(2)?)?.checked_sub(filter)?;
            (filter > 0 && stride > 0).then(|| room / stride + 1)
        };
        let rows = batch
            .checked_mul(places(height, r)?)?
            .checked_mul(places(width, s)?)?;
        let terms = channels.checked_mul(r)?.checked_mul(s)?;
        Self::new(name, [rows, filters, terms])
    }

    /// The layer that `text` describes.
    pub(crate) fn parse(text: &str) -> Result<Self, CliError> {
        let read = || {
            let (kind, sizes) = text.split_once(':')?;
            let sizes = sizes.split(',').map(|size| size.trim().parse().ok());
            let sizes: Vec<u64> = sizes.collect::<Option<_>>()?;
            match (kind, sizes.as_slice()) {
                ("gemm", &[m, n, k]) => Self::new(text, [m, n, k]),
                ("linear", &[batch, inputs, outputs]) => Self::new(text, [batch, outputs, inputs]),
                ("conv", sizes) => Self::conv(text, sizes.try_into().ok()?),
                _ => None,
            }
        };
        read().ok_or_else(|| CliError::option("--layer", text, KINDS))
    }

    /// The layers of a SCALE-Sim topology: a heading, then a line a layer, of convolutions (name,
    /// height, width, filter height, filter width, channels, filters, stride; padding is in the
    /// sizes) or of products (name, M, N, K).
    pub(crate) fn read(path: &Path) -> Result<Vec<Self>, CliError> {
        let text = std::fs::read_to_string(path).map_err(CliError::read(path))?;
        let mut layers = Vec::new();
        for (index, line) in text.lines().enumerate().skip(1) {
            let cells: Vec<&str> = line.trim().trim_end_matches(',').split(',').collect();
            if cells == [""] {
                continue;
            }
            let name = cells[0].trim();
            let sizes = cells[1..].iter().map(|cell| cell.trim().parse().ok());
            let sizes: Option<Vec<u64>> = sizes.collect();
            let layer = match sizes.as_deref() {
                Some(&[m, n, k]) => Self::new(name, [m, n, k]),
                Some(&[height, width, r, s, channels, filters, stride]) => {
                    Self::conv(name, [1, channels, height, width, filters, r, s, stride, 0])
                }
                _ => None,
            };
            layers.push(layer.ok_or_else(|| {
                CliError::array(
                    path,
                    "line",
                    format!("{}: {line}", index + 1),
                    "a name and M, N, K, or height, width, filter height, filter width, channels, \
                     filters, stride",
                )
            })?);
        }
        match layers.is_empty() {
            true => Err(CliError::array(
                path,
                "layers",
                "0",
                "a heading, then a layer a line",
            )),
            false => Ok(layers),
        }
    }
}
