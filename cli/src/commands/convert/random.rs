//! Random words of stochastic rounding.

use std::path::Path;

use ndarray::{ArrayD, IxDyn};

use crate::error::CliError;
use crate::npy::{self, Dtype};

/// Reads random words for an input of that shape.
pub(super) fn read_random(path: &Path, shape: &[usize]) -> Result<ArrayD<u32>, CliError> {
    let (_, bits) = npy::read::<u32>(path, &[Dtype::Uint32])?;
    if bits.shape() != shape {
        return Err(CliError::array(
            path,
            "shape",
            format!("{:?}", bits.shape()),
            format!("the input's: {shape:?}"),
        ));
    }
    Ok(bits)
}

/// Random words of a seed, in C order: the same for every format, machine and shape of the same
/// length (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
pub(super) fn random_bits(seed: u64, shape: &[usize]) -> Result<ArrayD<u32>, CliError> {
    let mut state = seed;
    let bits = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    });
    let length = shape.iter().product();
    ArrayD::from_shape_vec(IxDyn(shape), bits.take(length).collect()).map_err(CliError::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bits_vs_published_splitmix64() {
        // The first outputs for seed 1234567, as published with the reference implementation.
        let published = [
            6_457_827_717_110_365_317_u64,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        let bits = random_bits(1_234_567, &[5]).unwrap();
        let expected: Vec<u32> = published.iter().map(|x| (x >> 32) as u32).collect();
        assert_eq!(bits.into_raw_vec_and_offset().0, expected);
    }
}
