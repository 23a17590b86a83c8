//! Conversions with scales: given ones, and those of blocks.

use std::path::{Path, PathBuf};

use clap::Args;
use ndarray::{Array2, ArrayD, ArrayViewD, Ix2, Zip};
use quaver_contract::formats::FP32;
use quaver_contract::{Blocking, Conversion, Format, Formats, Overflow};
use quaver_golden::{
    Blocks, Scaling, convert, convert_array, convert_scaled, dequantise, quantise,
};

use crate::error::CliError;
use crate::npy::{self, Dtype};
use crate::output::Output;

/// Scales of `quaver convert`.
#[derive(Debug, Args)]
pub(super) struct ScaleArgs {
    /// The result's numbers times this are the input's: a number, or float32 or float16 that
    /// broadcast to the input's shape as numpy's do
    #[arg(long, value_name = "S", conflicts_with_all = ["from_scale", "block", "from_block"])]
    scale: Option<String>,

    /// Adds +0 to the quotient by the scale, as ONNX QuantizeLinear does when it has a zero point:
    /// -0 becomes +0
    #[arg(long, requires = "scale")]
    zero_point: bool,

    /// The input's numbers are its codes' times this, likewise
    #[arg(long, value_name = "S", conflicts_with_all = ["block", "from_block"])]
    from_scale: Option<String>,

    /// Chooses a scale for each block of a matrix: mx, nvfp4, fp32, or RxC for fp32; another
    /// block than 1x32, 1x16, 1x128 as in mx:32x1. Too large elements saturate
    #[arg(long, value_name = "KIND", value_parser = block, requires = "scales")]
    block: Option<Blocking>,

    /// The input is in such blocks, and has the scales of --scales
    #[arg(long, value_name = "KIND", value_parser = block, requires = "scales", conflicts_with = "block")]
    from_block: Option<Blocking>,

    /// Codes of the blocks' scales: written with --block, read with --from-block
    #[arg(long, value_name = "S.npy")]
    scales: Option<PathBuf>,

    /// With --from-block nvfp4, the tensor's scale, as the bits of a float32: `tensor_scale` of --json
    #[arg(long, value_name = "BITS", requires = "from_block")]
    tensor_scale: Option<u32>,
}

fn block(name: &str) -> Result<Blocking, quaver_contract::ContractError> {
    Blocking::get(name)
}

/// What is converted, and how.
pub(super) struct Scaled<'a> {
    pub(super) codes: &'a ArrayD<u32>,
    pub(super) from: &'static Format,
    pub(super) conversion: &'a Conversion,
    pub(super) random: Option<ArrayViewD<'a, u32>>,
    /// Whether a quotient is rounded to the scale's format first.
    pub(super) twice: bool,
}

impl ScaleArgs {
    /// The codes of the result, and the tensor's scale when one was chosen.
    ///
    /// # Errors
    /// [`CliError`] for scales that do not fit.
    pub(super) fn convert(
        &self,
        input: &Scaled<'_>,
    ) -> Result<(ArrayD<u32>, Option<u32>), CliError> {
        let Scaled {
            codes,
            from,
            conversion,
            ..
        } = *input;
        if let (Some(blocking), Some(path)) = (&self.block, &self.scales) {
            return quantise_blocks(input, blocking, path);
        }
        if let (Some(blocking), Some(path)) = (&self.from_block, &self.scales) {
            return Ok((self.dequantise_blocks(input, blocking, path)?, None));
        }
        let divide = match (input.twice, self.zero_point) {
            (true, true) => Scaling::DivideTwicePlusZero,
            (true, false) => Scaling::DivideTwice,
            (false, false) => Scaling::Divide,
            (false, true) => {
                let allowed = "only with a --policy of ONNX";
                return Err(CliError::option("--zero-point", "0", allowed));
            }
        };
        let given = self.scale.as_ref().map(|scale| (scale, "--scale", divide));
        let given = given.or(self
            .from_scale
            .as_ref()
            .map(|s| (s, "--from-scale", Scaling::Multiply)));
        let Some((scale, option, scaling)) = given else {
            let values = convert_array(codes.view(), from, conversion, input.random.clone());
            return Ok((values.map_err(CliError::other)?, None));
        };
        let (format, scales) = read_scale(option, scale)?;
        let scales = scales.broadcast(codes.raw_dim()).ok_or_else(|| {
            let allowed = format!("what broadcasts to the input's {:?}", codes.shape());
            CliError::option(option, format!("of shape {:?}", scales.shape()), allowed)
        })?;
        let one = |&code: &u32, &scale: &u32, random: u32| {
            convert_scaled(code, from, (scale, format), scaling, conversion, random)
        };
        let pairs = Zip::from(codes).and(&scales);
        let values = match &input.random {
            Some(random) => pairs
                .and(random)
                .map_collect(|code, scale, &random| one(code, scale, random)),
            None => pairs.map_collect(|code, scale| one(code, scale, 0)),
        };
        Ok((values, None))
    }

    fn dequantise_blocks(
        &self,
        input: &Scaled<'_>,
        blocking: &Blocking,
        path: &Path,
    ) -> Result<ArrayD<u32>, CliError> {
        let blocks = Blocks {
            codes: matrix("--from-block", input.codes)?,
            scales: matrix("--scales", &npy::read_codes(path, blocking.scale_format())?)?,
            tensor: self.tensor_scale,
        };
        let elements = Conversion::native(input.from);
        let values = dequantise(&blocks, blocking, &elements).map_err(CliError::other)?;
        if input.conversion.format != FP32 {
            // The numbers of blocks are binary32 numbers (numerics.md, 7.1).
            return Err(CliError::option(
                "--to",
                input.conversion.format.name,
                "fp32, with --from-block",
            ));
        }
        Ok(values
            .map(|&code| convert(code, FP32, input.conversion, 0))
            .into_dyn())
    }
}

fn quantise_blocks(
    input: &Scaled<'_>,
    blocking: &Blocking,
    path: &Path,
) -> Result<(ArrayD<u32>, Option<u32>), CliError> {
    let output = Output::check(path)?;
    let codes = matrix("--block", input.codes)?;
    let exact = Conversion::native(FP32);
    let numbers = codes.map(|&code| convert(code, input.from, &exact, 0));
    let mut conversion = *input.conversion;
    if conversion.overflow != Overflow::Saturate {
        conversion = conversion.with_overflow(Overflow::Saturate)?;
    }
    let blocks = quantise(numbers.view(), blocking, &conversion).map_err(CliError::other)?;
    let scales = blocks.scales.into_dyn();
    output.write(|writer| npy::write_codes(writer, blocking.scale_format(), scales.view()))?;
    Ok((blocks.codes.into_dyn(), blocks.tensor))
}

fn matrix(option: &'static str, array: &ArrayD<u32>) -> Result<Array2<u32>, CliError> {
    array.clone().into_dimensionality::<Ix2>().map_err(|_| {
        let shape = format!("of shape {:?}", array.shape());
        CliError::option(option, shape, "matrices: two axes")
    })
}

/// A number, which is a binary32 number, or a file of float32 or float16.
fn read_scale(
    option: &'static str,
    given: &str,
) -> Result<(&'static Format, ArrayD<u32>), CliError> {
    let path = Path::new(given);
    if path.extension().is_none_or(|extension| extension != "npy") {
        let number: f32 = given.parse().map_err(|_| {
            CliError::option(option, given, "a number, or the path of an .npy file")
        })?;
        return Ok((FP32, ndarray::arr0(number.to_bits()).into_dyn()));
    }
    let half = Formats::default().get("fp16")?;
    match npy::read::<u16>(path, &[Dtype::Float16]) {
        Ok((_, codes)) => Ok((half, codes.mapv(u32::from))),
        // Any other file is read, or refused, as float32.
        Err(_) => Ok((FP32, npy::read::<u32>(path, &[Dtype::Float32])?.1)),
    }
}
