//! RotaryEmbedding (ONNX 23): pairs of a head's numbers turned by the angle of their position.

use ndarray::{ArrayD, IxDyn};

use super::super::context::Context;
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

pub(super) fn rotary(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    let fail = |what: &str| context.error(format!("{what} of input 0, {:?}", values.shape()));
    let attribute = |name: &str| -> Result<usize, Error> {
        usize::try_from(context.int(name, 0)?).map_err(|_| fail(name))
    };
    // [batch, heads, sequence, size], or [batch, sequence, heads * size].
    let (flat, [batch, length, heads, size]) = match *values.shape() {
        [batch, heads, length, size] => (false, [batch, length, heads, size]),
        [batch, length, hidden] => {
            let heads = attribute("num_heads")?;
            if heads == 0 || hidden % heads != 0 {
                return Err(fail("num_heads"));
            }
            (true, [batch, length, heads, hidden / heads])
        }
        _ => return Err(fail("three or four axes")),
    };
    let turned = match attribute("rotary_embedding_dim")? {
        0 => size,
        turned => turned,
    };
    if turned > size || turned % 2 != 0 {
        return Err(fail("rotary_embedding_dim"));
    }
    let half = turned / 2;
    let positions = match inputs.get(3).copied().flatten() {
        None => None,
        Some(_) => Some(context.integers(inputs, 3)?),
    };
    let (cos, sin) = (context.floats(inputs, 1)?, context.floats(inputs, 2)?);
    let rows = match (&positions, cos.shape()) {
        (Some(positions), &[rows, pairs]) if positions.len() == batch * length && pairs == half => {
            rows
        }
        (None, &[own, steps, pairs]) if [own, steps, pairs] == [batch, length, half] => {
            batch * length
        }
        _ => return Err(fail(&format!("cosines of {:?}", cos.shape()))),
    };
    if sin.shape() != cos.shape() {
        return Err(fail(&format!("sines of {:?}", sin.shape())));
    }
    let (cos, sin) = (cos.as_standard_layout(), sin.as_standard_layout());
    let (cos, sin) = (
        cos.as_slice().expect("C order"),
        sin.as_slice().expect("C order"),
    );
    let interleaved = context.int("interleaved", 0)? != 0;
    let mut result = values.as_standard_layout().into_owned();
    let numbers = result.as_slice_mut().expect("standard layout");
    for (index, head) in numbers.chunks_exact_mut(size.max(1)).enumerate() {
        // Which image and step the head belongs to.
        let step = match flat {
            true => index / heads,
            false => index / (heads * length) * length + index % length,
        };
        let row = match &positions {
            None => step,
            Some(positions) => {
                let row = usize::try_from(positions[step])
                    .ok()
                    .filter(|&row| row < rows);
                row.ok_or_else(|| fail(&format!("position {} of {rows}", positions[step])))?
            }
        };
        for pair in 0..half {
            let (x, y) = match interleaved {
                true => (2 * pair, 2 * pair + 1),
                false => (pair, pair + half),
            };
            let (cos, sin) = (cos[row * half + pair], sin[row * half + pair]);
            let (a, b) = (head[x], head[y]);
            (head[x], head[y]) = (cos * a - sin * b, sin * a + cos * b);
        }
    }
    let result: ArrayD<f32> = result
        .into_shape_with_order(IxDyn(values.shape()))
        .expect("as it was");
    Ok(vec![Tensor::Float(result)])
}
