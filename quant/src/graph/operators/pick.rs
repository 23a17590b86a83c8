//! Operators that pick or rearrange elements by index: GatherElements, GatherND, TopK, blocks of places.

use ndarray::{ArrayD, Axis, IxDyn};

use super::super::context::Context;
use super::shape::each;
use crate::{ElementType, Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// An index of a length, counted from the end when negative.
fn place(context: &Context<'_, '_>, index: i64, length: usize) -> Result<usize, Error> {
    let whole = length as i64;
    let place = if index < 0 {
        index.saturating_add(whole)
    } else {
        index
    };
    match (0..whole).contains(&place) {
        true => Ok(place as usize),
        false => Err(context.error(format!("index {index} of {length}"))),
    }
}

fn indices<'t>(context: &Context<'_, '_>, inputs: &Inputs<'t>) -> Result<&'t ArrayD<i64>, Error> {
    match context.operand(inputs, 1)? {
        Tensor::Int(_, indices) => Ok(indices),
        _ => Err(context.error("input 1 has to be integers")),
    }
}

pub(super) fn gather_elements(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (tensor, indices) = (context.operand(inputs, 0)?, indices(context, inputs)?);
    let own = tensor.shape();
    let axis = context.axis(context.int("axis", 0)?, own.len())?;
    let mut lengths = own.iter().zip(indices.shape()).enumerate();
    if own.len() != indices.ndim() || !lengths.all(|(i, (own, n))| i == axis || n <= own) {
        return Err(context.error(format!("indices of {:?} for {own:?}", indices.shape())));
    }
    let mut places = Vec::with_capacity(indices.len());
    for (mut at, &index) in indices.indexed_iter() {
        at[axis] = place(context, index, own[axis])?;
        places.push(at);
    }
    Ok(vec![each!(tensor, values => {
        let picked = places.iter().map(|at| values[at]).collect();
        ArrayD::from_shape_vec(indices.raw_dim(), picked).expect("one an index")
    })])
}

pub(super) fn gather_nd(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (tensor, indices) = (context.operand(inputs, 0)?, indices(context, inputs)?);
    let own = tensor.shape();
    let shapes = || context.error(format!("indices of {:?} for {own:?}", indices.shape()));
    let batches = usize::try_from(context.int("batch_dims", 0)?).map_err(|_| shapes())?;
    let (&depth, outer) = indices.shape().split_last().ok_or_else(shapes)?;
    let fits = batches <= outer.len() && batches <= own.len() && own.len() - batches >= depth;
    if !fits || depth == 0 || own[..batches] != outer[..batches] {
        return Err(shapes());
    }
    let rest = &own[batches + depth..];
    let shape = [outer, rest].concat();
    context.elements(&shape)?;
    let list = indices.as_standard_layout();
    let list = list.as_slice().expect("standard layout");
    let slices = outer.iter().product::<usize>();
    let each_batch = outer[batches..].iter().product::<usize>().max(1);
    let length = rest.iter().product::<usize>();
    // Where each slice begins in C order.
    let mut starts = Vec::with_capacity(slices);
    for (i, tuple) in list.chunks_exact(depth).enumerate() {
        let mut start = i / each_batch;
        for (axis, &index) in tuple.iter().enumerate() {
            let own = own[batches + axis];
            start = start * own + place(context, index, own)?;
        }
        starts.push(start * length);
    }
    Ok(vec![each!(tensor, values => {
        let values = values.as_standard_layout();
        let values = values.as_slice().expect("standard layout");
        let picked = starts.iter().flat_map(|&start| &values[start..start + length]);
        ArrayD::from_shape_vec(IxDyn(&shape), picked.copied().collect()).expect("a slice an index")
    })])
}

/// The elements with their axes cut as `cut`, those in another order, and joined as `joined`.
fn moved(tensor: &Tensor, cut: &[usize], order: &[usize], joined: &[usize]) -> Tensor {
    each!(tensor, values => {
        let values = values.as_standard_layout();
        let values = values.to_shape(IxDyn(cut)).expect("the same elements");
        let values = values.view().permuted_axes(IxDyn(order));
        let values = values.as_standard_layout().into_owned();
        values.into_shape_with_order(IxDyn(joined)).expect("the same elements")
    })
}

/// The four lengths of an image batch, and the side of a block.
fn blocks(
    context: &Context<'_, '_>,
    tensor: &Tensor,
    fits: impl Fn(&[usize; 4], usize) -> bool,
) -> Result<([usize; 4], usize), Error> {
    let size = context.int("blocksize", 0)?;
    let fail = || {
        context.error(format!(
            "attribute blocksize = {size} of {:?}",
            tensor.shape()
        ))
    };
    let lengths = <[usize; 4]>::try_from(tensor.shape()).map_err(|_| fail())?;
    // A larger side than a length can be has no square.
    let side = usize::try_from(size)
        .ok()
        .filter(|&side| (1..1 << 16).contains(&side));
    let side = side.ok_or_else(fail)?;
    match fits(&lengths, side) {
        true => Ok((lengths, side)),
        false => Err(fail()),
    }
}

pub(super) fn depth_to_space(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let mode = context.text("mode", "DCR")?;
    context.only("mode", &mode, &["DCR", "CRD"])?;
    let ([n, c, h, w], side) =
        blocks(context, tensor, |[_, c, _, _], side| c % (side * side) == 0)?;
    let depth = c / (side * side);
    let (cut, order) = match mode.as_str() {
        "DCR" => ([n, side, side, depth, h, w], [0, 3, 4, 1, 5, 2]),
        _ => ([n, depth, side, side, h, w], [0, 1, 4, 2, 5, 3]),
    };
    Ok(vec![moved(
        tensor,
        &cut,
        &order,
        &[n, depth, h * side, w * side],
    )])
}

pub(super) fn space_to_depth(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let whole = |[_, _, h, w]: &[usize; 4], side| h % side == 0 && w % side == 0;
    let ([n, c, h, w], side) = blocks(context, tensor, whole)?;
    let cut = [n, c, h / side, side, w / side, side];
    let joined = [n, c * side * side, h / side, w / side];
    Ok(vec![moved(tensor, &cut, &[0, 3, 5, 1, 2, 4], &joined)])
}

/// TopK of FP32 numbers and integers: the first of equals comes first, and a NaN is the largest.
pub(super) fn top_k(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let own = tensor.shape();
    let axis = context.axis(context.int("axis", -1)?, own.len())?;
    let wanted = match context.opset {
        ..10 => context.int("k", -1)?,
        _ => context.integers(inputs, 1)?.first().copied().unwrap_or(-1),
    };
    let count = usize::try_from(wanted)
        .ok()
        .filter(|&count| count <= own[axis]);
    let count = count.ok_or_else(|| context.error(format!("k = {wanted} of {}", own[axis])))?;
    let largest = context.int("largest", 1)? != 0;
    let mut shape = own.to_vec();
    shape[axis] = count;
    let mut chosen = ArrayD::zeros(IxDyn(&shape));
    macro_rules! choose {
        ($values:expr, $order:expr) => {{
            let mut picked = ArrayD::zeros(IxDyn(&shape));
            let lines = $values.lanes(Axis(axis)).into_iter();
            let lines = lines.zip(picked.lanes_mut(Axis(axis)));
            for ((line, to), places) in lines.zip(chosen.lanes_mut(Axis(axis))) {
                let mut order: Vec<usize> = (0..line.len()).collect();
                let sign = |x: std::cmp::Ordering| if largest { x.reverse() } else { x };
                order.sort_by(|&x, &y| sign($order(&line[x], &line[y])));
                for ((to, place), from) in to.into_iter().zip(places).zip(order) {
                    (*to, *place) = (line[from], from as i64);
                }
            }
            picked
        }};
    }
    let by_value = |x: &f32, y: &f32| match (x.is_nan(), y.is_nan()) {
        (false, false) => x.partial_cmp(y).expect("neither is a NaN"),
        (x, y) => x.cmp(&y),
    };
    let picked = match tensor {
        Tensor::Float(values) => Tensor::Float(choose!(values, by_value)),
        Tensor::Int(element, values) => Tensor::Int(*element, choose!(values, i64::cmp)),
        other => return Err(context.error(format!("input 0 is {}", other.element_type().name()))),
    };
    Ok(vec![picked, Tensor::Int(ElementType::Int64, chosen)])
}
