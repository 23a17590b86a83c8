//! Attention (ONNX 23): scores of queries and keys, softmax, and what it picks of the values.
//!
//! Products, in the order of their places: for each batch and head of keys, Q by K transposed, then the
//! weights by V. Queries that share a head of keys are rows of one product.

use ndarray::{Array1, Array2, Array4, ArrayD, ArrayView2, Axis, Ix4, IxDyn, concatenate, s};

use super::super::context::Context;
use super::super::outputs::finish;
use super::super::products::Operands;
use super::normalise::soften;
use crate::{ElementType, Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// What `qk_matmul_output_mode` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Product,
    Capped,
    Masked,
    Softmax,
}

/// Lengths: batches, heads of queries, queries, past keys, all keys.
struct Lengths {
    batch: usize,
    heads: usize,
    queries: usize,
    past: usize,
    keys: usize,
}

/// Heads of an operand, as \[batch, heads, sequence, size\], from there or from \[batch, sequence, hidden\].
fn heads(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    place: usize,
    attribute: &str,
) -> Result<Array4<f32>, Error> {
    let values = context.floats(inputs, place)?;
    match *values.shape() {
        [_, _, _, _] => {
            let values = values.view().into_dimensionality::<Ix4>();
            Ok(values.expect("four axes").to_owned())
        }
        [batch, length, hidden] => {
            let count = usize::try_from(context.int(attribute, 0)?).unwrap_or(0);
            if count == 0 || hidden % count != 0 {
                let found =
                    format!("attribute {attribute} = {count} for {hidden} in input {place}");
                return Err(context.error(found));
            }
            let values = values.as_standard_layout();
            let values = values
                .to_shape((batch, length, count, hidden / count))
                .expect("the same elements");
            Ok(values
                .view()
                .permuted_axes([0, 2, 1, 3])
                .as_standard_layout()
                .into_owned())
        }
        _ => Err(context.error(format!(
            "input {place} has {:?}, not three or four axes",
            values.shape()
        ))),
    }
}

/// The past and what comes now, along the sequence.
fn with_past(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    place: usize,
    now: Array4<f32>,
) -> Result<(usize, Array4<f32>), Error> {
    let Some(past) = context.optional_floats(inputs, place)? else {
        return Ok((0, now));
    };
    let fail = || {
        let found = format!(
            "input {place} is {:?} before {:?}",
            past.shape(),
            now.shape()
        );
        context.error(found)
    };
    let past = past
        .view()
        .into_dimensionality::<Ix4>()
        .map_err(|_| fail())?;
    let joined = concatenate(Axis(2), &[past, now.view()]).map_err(|_| fail())?;
    Ok((past.len_of(Axis(2)), joined))
}

/// What is added to the scores of a batch and head: 0 or negative infinity, or the numbers of a mask.
struct Mask<'t> {
    numbers: Option<ndarray::CowArray<'t, f32, IxDyn>>,
    causal: bool,
    /// Keys of each batch that are none of padding.
    valid: Option<Vec<usize>>,
}

impl<'t> Mask<'t> {
    fn new(
        context: &Context<'_, '_>,
        inputs: &Inputs<'t>,
        lengths: &Lengths,
    ) -> Result<Self, Error> {
        let numbers: Option<ndarray::CowArray<'t, f32, IxDyn>> =
            match inputs.get(3).copied().flatten() {
                None => None,
                Some(Tensor::Float(numbers)) => Some(numbers.view().into()),
                Some(Tensor::Bool(chosen)) => Some(
                    chosen
                        .mapv(|chosen| if chosen { 0.0 } else { f32::NEG_INFINITY })
                        .into(),
                ),
                Some(other) => {
                    let found = other.element_type().name();
                    return Err(context.error(format!("input 3 is {found}, not FLOAT or BOOL")));
                }
            };
        if let Some(numbers) = &numbers {
            let own = numbers.shape();
            let wanted = [lengths.batch, lengths.heads, lengths.queries];
            let fits = (1..=4).contains(&own.len()) && {
                let (outer, keys) = own.split_at(own.len() - 1);
                let wanted = wanted[3 - outer.len()..].iter();
                keys[0] <= lengths.keys
                    && outer.iter().zip(wanted).all(|(&n, &to)| n == 1 || n == to)
            };
            if !fits {
                let found = format!(
                    "input 3 is {own:?} for {wanted:?} and {} keys",
                    lengths.keys
                );
                return Err(context.error(found));
            }
        }
        let valid = match inputs.get(6).copied().flatten() {
            None => None,
            Some(_) => {
                let valid = context.integers(inputs, 6)?;
                if valid.len() != lengths.batch {
                    let found =
                        format!("input 6 has {} for {} batches", valid.len(), lengths.batch);
                    return Err(context.error(found));
                }
                let valid = valid.into_iter().map(|n| usize::try_from(n).unwrap_or(0));
                Some(valid.collect())
            }
        };
        Ok(Self {
            numbers,
            causal: context.int("is_causal", 0)? != 0,
            valid,
        })
    }

    /// Adds the mask to the scores of a query.
    fn add(&self, scores: &mut [f32], lengths: &Lengths, [batch, head, query]: [usize; 3]) {
        if let Some(numbers) = &self.numbers {
            let mut line = numbers.view();
            let outer = line.ndim() - 1;
            for at in &[batch, head, query][3 - outer..] {
                let at = if line.shape()[0] == 1 { 0 } else { *at };
                line.index_axis_inplace(Axis(0), at);
            }
            // A mask that ends early hides the keys behind it.
            let behind = std::iter::repeat(&f32::NEG_INFINITY);
            for (score, number) in scores.iter_mut().zip(line.iter().chain(behind)) {
                *score += number;
            }
        }
        let seen = match self.causal {
            true => lengths.past + query + 1,
            false => lengths.keys,
        };
        let valid = self
            .valid
            .as_ref()
            .map_or(lengths.keys, |valid| valid[batch]);
        let seen = seen.min(valid).min(lengths.keys);
        for score in &mut scores[seen..] {
            *score += f32::NEG_INFINITY;
        }
    }
}

/// Operands of a layer's products, one after another.
#[derive(Default)]
struct Seen {
    left: Vec<f32>,
    right: Vec<f32>,
}

fn product(
    context: &mut Context<'_, '_>,
    seen: &mut Seen,
    index: usize,
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
) -> Result<Array2<f32>, Error> {
    seen.left.extend(a.iter());
    seen.right.extend(b.iter());
    let operands = Operands {
        a: a.into(),
        b: b.into(),
        bias: None,
        index,
        channel: 0,
        constant: false,
    };
    context.products.product(context.node, operands)
}

pub(super) fn attention(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let flat = context.floats(inputs, 0)?.ndim() == 3;
    let mut q = heads(context, inputs, 0, "q_num_heads")?;
    let k = heads(context, inputs, 1, "kv_num_heads")?;
    let v = heads(context, inputs, 2, "kv_num_heads")?;
    let given = |place: usize| inputs.get(place).copied().flatten().is_some();
    if given(4) != given(5) {
        return Err(context.error("past_key and past_value go together"));
    }
    if given(4) && given(6) {
        return Err(context.error("past_key and nonpad_kv_seqlen exclude each other"));
    }
    let (past, k) = with_past(context, inputs, 4, k)?;
    let (past_values, v) = with_past(context, inputs, 5, v)?;
    let (batch, all, queries, size) = q.dim();
    let (_, shared, keys, _) = k.dim();
    let fits = k.dim() == (batch, shared, keys, size) && past == past_values;
    let fits = fits && v.dim() == (batch, shared, keys, v.len_of(Axis(3)));
    if !fits || shared == 0 || all % shared != 0 || size == 0 {
        let shapes = [q.shape(), k.shape(), v.shape()];
        return Err(context.error(format!("heads of {shapes:?} do not fit")));
    }
    let lengths = Lengths {
        batch,
        heads: all,
        queries,
        past,
        keys,
    };
    context.elements(&[batch, all, queries, keys])?;
    context.elements(&[batch, all, queries, v.len_of(Axis(3))])?;
    let stage = match context.int("qk_matmul_output_mode", 0)? {
        0 => Stage::Product,
        1 => Stage::Capped,
        2 => Stage::Masked,
        3 => Stage::Softmax,
        mode => {
            return Err(context.error(format!("attribute qk_matmul_output_mode = {mode} (0 to 3)")));
        }
    };
    let float = i64::from(ElementType::Float.number());
    let precision = context.int("softmax_precision", float)?;
    if precision != 0 && precision != float {
        let found =
            format!("attribute softmax_precision = {precision} is not supported ({float}, FLOAT)");
        return Err(context.error(found));
    }
    let cap = context.float("softcap", 0.0)?;
    let scale = context.float("scale", (1.0 / (size as f64).sqrt()) as f32)?;
    if scale.is_nan() || scale < 0.0 || cap.is_nan() || cap < 0.0 {
        return Err(context.error(format!(
            "scale {scale} and softcap {cap} have to be 0 or more"
        )));
    }
    let mask = Mask::new(context, inputs, &lengths)?;
    // Each side by the root, so that neither overflows.
    let root = scale.sqrt();
    q.mapv_inplace(|value| value * root);
    let wants = |place: usize| {
        context
            .node
            .outputs
            .get(place)
            .is_some_and(|name| !name.is_empty())
    };
    let (wants_scores, wants_present) = (wants(3), [wants(1), wants(2)]);
    let mut kept = match wants_scores {
        true => Array4::zeros((batch, all, queries, keys)),
        false => Array4::zeros((0, 0, 0, 0)),
    };
    let group = all / shared;
    let mut result = Array4::zeros((batch, all, queries, v.len_of(Axis(3))));
    let mut seen = Seen::default();
    for (index, (image, head)) in (0..batch)
        .flat_map(|b| (0..shared).map(move |h| (b, h)))
        .enumerate()
    {
        let rows = head * group..(head + 1) * group;
        let a = q.slice(s![image, rows.clone(), .., ..]);
        let a = a
            .to_shape((group * queries, size))
            .expect("the same elements");
        let b = k.slice(s![image, head, .., ..]).mapv(|value| value * root);
        let mut scores = product(context, &mut seen, 2 * index, a.view(), b.t())?;
        let mut keep = |now: Stage, scores: &Array2<f32>| {
            if wants_scores && now == stage {
                let scores = scores
                    .to_shape((group, queries, keys))
                    .expect("the same elements");
                kept.slice_mut(s![image, rows.clone(), .., ..])
                    .assign(&scores);
            }
        };
        keep(Stage::Product, &scores);
        if cap > 0.0 {
            scores.mapv_inplace(|score| (score / cap).tanh() * cap);
        }
        keep(Stage::Capped, &scores);
        for (row, mut line) in scores.rows_mut().into_iter().enumerate() {
            let line = line.as_slice_mut().expect("rows are in C order");
            let place = [image, rows.start + row / queries, row % queries];
            mask.add(line, &lengths, place);
        }
        keep(Stage::Masked, &scores);
        for mut line in scores.rows_mut() {
            soften(line.as_slice_mut().expect("rows are in C order"));
        }
        keep(Stage::Softmax, &scores);
        let b = v.slice(s![image, head, .., ..]);
        let part = product(context, &mut seen, 2 * index + 1, scores.view(), b)?;
        let part = part
            .to_shape((group, queries, v.len_of(Axis(3))))
            .expect("the same elements");
        result.slice_mut(s![image, rows, .., ..]).assign(&part);
    }
    let result = match flat {
        false => result.into_dyn(),
        true => {
            let hidden = all * v.len_of(Axis(3));
            let values = result
                .permuted_axes([0, 2, 1, 3])
                .as_standard_layout()
                .into_owned();
            let values = values.into_shape_with_order(IxDyn(&[batch, queries, hidden]));
            values.expect("the same elements")
        }
    };
    let seen = [seen.left, seen.right].map(|values| Array1::from_vec(values).into_dyn());
    let result = finish(context, &seen[0], &seen[1], result)?;
    let mut outputs = vec![Tensor::Float(result)];
    if context.node.outputs.len() > 1 {
        let present = [k, v].into_iter().zip(wants_present);
        outputs.extend(present.map(|(values, wanted)| match wanted {
            true => Tensor::Float(values.into_dyn()),
            false => Tensor::Float(ArrayD::zeros(IxDyn(&[0]))),
        }));
        outputs.push(Tensor::Float(kept.into_dyn()));
    }
    Ok(outputs)
}
