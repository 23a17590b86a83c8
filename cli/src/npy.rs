//! Arrays in `.npy` files (numpy.lib.format).
//!
//! Arrays are read in C or Fortran order and either byte order, and written in C order. What a
//! header promises is believed only as far as the file holds it: memory follows the data.

#[cfg(test)]
mod damaged;
mod dtype;

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use ndarray::{ArrayD, ArrayViewD, IxDyn, ShapeBuilder as _};
use ndarray_npy::npy::header::{Header, Layout};
use quaver_contract::Format;
use quaver_quant::npz::header;

use crate::error::CliError;
pub(crate) use dtype::{Dtype, Word};

/// Reads an array whose type is one of `allowed`, all of `W`'s size.
///
/// # Errors
/// [`CliError`] naming the file, for anything but a whole array of such a type.
pub(crate) fn read<W: Word>(
    path: &Path,
    allowed: &[Dtype],
) -> Result<(Dtype, ArrayD<W>), CliError> {
    let malformed = |message: String| CliError::Npy {
        path: path.to_owned(),
        message,
    };
    let file = File::open(path).map_err(CliError::read(path))?;
    if file.metadata().map_err(CliError::read(path))?.is_dir() {
        return Err(CliError::read(path)(
            std::io::ErrorKind::IsADirectory.into(),
        ));
    }
    let mut reader = BufReader::new(file);
    let shape = header::read(&mut reader).map_err(malformed)?;
    let found = Dtype::parse(&shape.descriptor).filter(|(dtype, _)| allowed.contains(dtype));
    let Some((dtype, big_endian)) = found else {
        return Err(CliError::array(
            path,
            "dtype",
            dtype::numpy_name(&shape.descriptor),
            dtype::names(allowed),
        ));
    };
    let length = shape
        .lengths
        .iter()
        .try_fold(W::BYTES, |product, &length| product.checked_mul(length))
        .ok_or_else(|| malformed(format!("shape {:?} does not fit in memory", shape.lengths)))?;
    let expected = u64::try_from(length).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let held = reader
        .by_ref()
        .take(expected)
        .read_to_end(&mut bytes)
        .map_err(CliError::read(path))?;
    if held < length {
        return Err(malformed(format!(
            "truncated: the file holds {held} of the {length} data bytes of shape {:?}",
            shape.lengths
        )));
    }
    let mut extra = [0];
    if reader.read(&mut extra).map_err(CliError::read(path))? != 0 {
        return Err(malformed(format!(
            "the file goes on after the {length} data bytes of shape {:?}",
            shape.lengths
        )));
    }
    let order = IxDyn(&shape.lengths).set_f(shape.fortran);
    let array = ArrayD::from_shape_vec(order, W::read(bytes, big_endian))
        .map_err(|error| malformed(format!("shape {:?}: {error}", shape.lengths)))?;
    Ok((dtype, array))
}

/// Reads codes of a format of at most 8 bits, of any shape; checks that each is one.
///
/// # Errors
/// As [`read`], and for a code that the format does not have.
pub(crate) fn read_narrow(path: &Path, format: &Format) -> Result<ArrayD<u8>, CliError> {
    let (dtype, mut codes) = read::<u8>(path, Dtype::of(format))?;
    let illegal = |code: String, low: i32, high: u32| {
        let allowed = format!("{}: {low} to {high}", format.name);
        CliError::array(path, "code", code, allowed)
    };
    let mask = format.code_mask();
    for code in &mut codes {
        if dtype == Dtype::Int8 {
            // A number in a wider byte repeats its sign above the code.
            let (value, limit) = (i32::from(code.cast_signed()), mask >> 1);
            let low = -limit.cast_signed() - 1;
            if !(low..=limit.cast_signed()).contains(&value) {
                return Err(illegal(value.to_string(), low, limit));
            }
            // The mask of such a format fits a byte.
            *code &= mask as u8;
        } else if u32::from(*code) > mask {
            return Err(illegal(code.to_string(), 0, mask));
        }
    }
    Ok(codes)
}

/// Reads codes of any format, of any shape; checks that each is one.
///
/// # Errors
/// As [`read_narrow`].
pub(crate) fn read_codes(path: &Path, format: &Format) -> Result<ArrayD<u32>, CliError> {
    let allowed = Dtype::of(format);
    let codes = match format.storage_bytes() {
        1 => return Ok(read_narrow(path, format)?.mapv(u32::from)),
        2 => read::<u16>(path, allowed)?.1.mapv(u32::from),
        _ => read::<u32>(path, allowed)?.1,
    };
    let mask = format.code_mask();
    match codes.iter().find(|&&code| code > mask) {
        Some(code) => Err(CliError::array(
            path,
            "code",
            code,
            format!("{}: 0 to {mask}", format.name),
        )),
        None => Ok(codes),
    }
}

/// Writes codes in the format's own type: float32 for `fp32`, float16 for `fp16`, else the
/// smallest unsigned integers that hold them.
///
/// # Errors
/// The writer's.
pub(crate) fn write_codes(
    writer: &mut dyn Write,
    format: &Format,
    codes: ArrayViewD<'_, u32>,
) -> std::io::Result<()> {
    let header = Header {
        type_descriptor: py_literal::Value::String(Dtype::of(format)[0].descriptor()),
        layout: Layout::Standard,
        shape: codes.shape().to_vec(),
    };
    let bytes = header.to_bytes().map_err(std::io::Error::other)?;
    writer.write_all(&bytes)?;
    let bytes = format.storage_bytes();
    for code in codes {
        // The low bytes hold the code: its format is no wider.
        writer.write_all(&code.to_le_bytes()[..bytes])?;
    }
    Ok(())
}
