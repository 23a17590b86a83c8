//! The arrays of a job, read and checked.

use std::path::{Path, PathBuf};

use ndarray::{Array, Array1, Array2, ArrayD, Dimension};
use quaver_contract::formats::FP32;
use quaver_contract::{BlockScales, Blocking, Format, Scale};

use super::GemmArgs;
use crate::error::CliError;
use crate::npy;

/// Everything that a job borrows.
pub(super) struct Operands {
    pub(super) a: Array2<u8>,
    pub(super) b: Array2<u8>,
    pub(super) init: Option<Array2<u32>>,
    pub(super) blocks: Option<OwnedBlocks>,
    pub(super) scale: OwnedScale,
    pub(super) bias: Option<Array1<u32>>,
}

/// Scales of the operands' blocks.
pub(super) struct OwnedBlocks {
    of_a: Blocking,
    of_b: Blocking,
    a: Array2<u32>,
    b: Array2<u32>,
}

impl OwnedBlocks {
    /// The scales as a job takes them.
    pub(super) fn view(&self) -> BlockScales<'_> {
        BlockScales {
            length: self.of_a.cols,
            format: self.of_a.scale_format(),
            rows: self.of_a.rows,
            cols: self.of_b.cols,
            a: self.a.view(),
            b: self.b.view(),
        }
    }

    /// Reads the scales that the arguments name, of A with shape `(m, k)` and B with `(k, n)`.
    fn read(args: &GemmArgs, (m, n, k): (usize, usize, usize)) -> Result<Option<Self>, CliError> {
        let given = (
            args.block_a.zip(args.block_scales_a.as_deref()),
            args.block_b.zip(args.block_scales_b.as_deref()),
        );
        let (Some((of_a, path_a)), Some((of_b, path_b))) = given else {
            return Ok(None);
        };
        if (of_a.scale, of_a.cols) != (of_b.scale, of_b.rows) {
            return Err(CliError::option(
                "--block-b",
                format!(
                    "{} x {} with {}",
                    of_b.rows,
                    of_b.cols,
                    of_b.scale_format().name
                ),
                format!(
                    "blocks of {} terms of K with scales in {}, as --block-a has",
                    of_a.cols,
                    of_a.scale_format().name
                ),
            ));
        }
        let read = |path: &Path, blocking: Blocking, matrix| -> Result<Array2<u32>, CliError> {
            let codes = npy::read_codes(path, blocking.scale_format())?;
            let scales: Array2<u32> = with_rank(path, codes, "one a block")?;
            let (rows, cols) = blocking.scales(matrix);
            match scales.dim() == (rows, cols) {
                true => Ok(scales),
                false => Err(shape(
                    path,
                    scales.shape(),
                    format!("one a block: [{rows}, {cols}]"),
                )),
            }
        };
        Ok(Some(Self {
            a: read(path_a, of_a, (m, k))?,
            b: read(path_b, of_b, (k, n))?,
            of_a,
            of_b,
        }))
    }
}

/// The combined scale: binary32 codes.
pub(super) enum OwnedScale {
    None,
    Tensor(u32),
    PerColumn(Array1<u32>),
}

impl OwnedScale {
    /// The scale as a job takes it.
    pub(super) fn view(&self) -> Scale<'_> {
        match self {
            Self::None => Scale::None,
            Self::Tensor(scale) => Scale::Tensor(*scale),
            Self::PerColumn(scales) => Scale::PerColumn(scales.view()),
        }
    }

    /// A scale of A and a scale of B as one (numerics.md, 3.1).
    fn combine(a: Option<u32>, b: Self) -> Self {
        let Some(a) = a else {
            return b;
        };
        let product = |b| quaver_golden::multiply_fp32(a, b);
        match b {
            Self::None => Self::Tensor(a),
            Self::Tensor(b) => Self::Tensor(product(b)),
            Self::PerColumn(scales) => Self::PerColumn(scales.mapv_into(product)),
        }
    }
}

impl Operands {
    /// Reads the files that the arguments name.
    ///
    /// # Errors
    /// [`CliError`] naming the file, what it has and what it may have.
    pub(super) fn read(
        args: &GemmArgs,
        format_a: &Format,
        format_b: &Format,
    ) -> Result<Self, CliError> {
        let matrix = |path: &Path, format, allowed| {
            with_rank(path, npy::read_narrow(path, format)?, allowed)
        };
        let a: Array2<u8> = matrix(&args.a, format_a, "M x K")?;
        let b: Array2<u8> = matrix(&args.b, format_b, "K x N")?;
        let (m, k) = a.dim();
        let n = b.ncols();
        if b.nrows() != k {
            let allowed = format!("{k} rows, as --a has {k} columns");
            return Err(shape(&args.b, b.shape(), allowed));
        }
        let init = args.init.as_deref().map(|path| -> Result<_, CliError> {
            let init: Array2<u32> = with_rank(path, npy::read_codes(path, FP32)?, "M x N")?;
            match init.dim() == (m, n) {
                true => Ok(init),
                false => Err(shape(path, init.shape(), format!("M x N: [{m}, {n}]"))),
            }
        });
        let bias = args.bias.as_deref().map(|path| -> Result<_, CliError> {
            let bias: Array1<u32> =
                with_rank(path, npy::read_codes(path, FP32)?, "one per column")?;
            match bias.len() == n {
                true => Ok(bias),
                false => Err(shape(path, bias.shape(), format!("N: [{n}]"))),
            }
        });
        let scale_a = match &args.scale_a {
            Some(text) => Some(scale_a(text)?),
            None => None,
        };
        let scale_b = match &args.scale_b {
            Some(text) => scale_b(text, n)?,
            None => OwnedScale::None,
        };
        Ok(Self {
            init: init.transpose()?,
            blocks: OwnedBlocks::read(args, (m, n, k))?,
            bias: bias.transpose()?,
            scale: OwnedScale::combine(scale_a, scale_b),
            a,
            b,
        })
    }
}

fn with_rank<T, D: Dimension>(
    path: &Path,
    array: ArrayD<T>,
    allowed: &str,
) -> Result<Array<T, D>, CliError> {
    let found = array.shape().to_vec();
    let rank = |_| {
        shape(
            path,
            &found,
            format!("rank {}: {allowed}", D::NDIM.unwrap_or(0)),
        )
    };
    array.into_dimensionality().map_err(rank)
}

fn shape(path: &Path, found: &[usize], allowed: String) -> CliError {
    CliError::array(path, "shape", format!("{found:?}"), allowed)
}

/// A scale as given: a number, or what a file holds.
enum Given {
    Number(u32),
    File(PathBuf, ArrayD<u32>),
}

fn given(option: &'static str, text: &str) -> Result<Given, CliError> {
    if text.ends_with(".npy") {
        let path = PathBuf::from(text);
        let scales = npy::read_codes(&path, FP32)?;
        return Ok(Given::File(path, scales));
    }
    // The parser rounds to nearest even, subnormal numbers too.
    match text.parse::<f32>() {
        Ok(number) => Ok(Given::Number(number.to_bits())),
        Err(_) => Err(CliError::option(option, text, "a number or FILE.npy")),
    }
}

fn scale_a(text: &str) -> Result<u32, CliError> {
    match given("--scale-a", text)? {
        Given::Number(scale) => Ok(scale),
        Given::File(path, scales) => match (scales.shape(), scales.first()) {
            ([] | [1], Some(&scale)) => Ok(scale),
            (found, _) => Err(shape(&path, found, "one element: [] or [1]".to_owned())),
        },
    }
}

fn scale_b(text: &str, n: usize) -> Result<OwnedScale, CliError> {
    let (path, scales) = match given("--scale-b", text)? {
        Given::Number(scale) => return Ok(OwnedScale::Tensor(scale)),
        Given::File(path, scales) => (path, scales),
    };
    if let ([], Some(&scale)) = (scales.shape(), scales.first()) {
        return Ok(OwnedScale::Tensor(scale));
    }
    let found = scales.shape().to_vec();
    match scales.into_dimensionality() {
        Ok(scales) if found == [n] => Ok(OwnedScale::PerColumn(scales)),
        _ => Err(shape(&path, &found, format!("one element [], or N: [{n}]"))),
    }
}
