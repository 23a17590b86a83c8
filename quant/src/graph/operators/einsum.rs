//! Einsum of one operand (diagonal, transposition, sum) and of two that are a batched product.

use ndarray::{ArrayD, Axis, IxDyn};

use super::super::context::Context;
use super::super::outputs::finish;
use super::super::products::Operand;
use super::super::scales::Lines;
use super::matrix::batched;
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// Axes of an equation: a letter, or the number of an axis under its ellipsis, counted from the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(std::cmp::Reverse<usize>),
    Letter(u8),
}

/// One operand, each label once, with the label of each axis.
struct Term {
    labels: Vec<Label>,
    values: ArrayD<f32>,
}

/// Labels of a term of the equation for an operand of that rank.
fn labels(context: &Context<'_, '_>, text: &str, rank: usize) -> Result<Vec<Label>, Error> {
    let fail = || {
        context.error(format!(
            "term {text} of the equation does not fit {rank} axes"
        ))
    };
    let (before, after) = text
        .split_once("...")
        .map_or((text, None), |(b, a)| (b, Some(a)));
    let letters = |text: &str| -> Result<Vec<Label>, Error> {
        let letter = |c: u8| c.is_ascii_alphabetic().then_some(Label::Letter(c));
        text.bytes().map(|c| letter(c).ok_or_else(fail)).collect()
    };
    let mut list = letters(before)?;
    match after {
        None if list.len() == rank => Ok(list),
        None => Err(fail()),
        Some(after) => {
            let after = letters(after)?;
            let under = rank
                .checked_sub(list.len() + after.len())
                .ok_or_else(fail)?;
            let under = (0..under)
                .rev()
                .map(|axis| Label::Ellipsis(std::cmp::Reverse(axis)));
            list.extend(under);
            list.extend(after);
            Ok(list)
        }
    }
}

/// The operand with its repeated labels as diagonals.
fn term(context: &Context<'_, '_>, text: &str, values: &ArrayD<f32>) -> Result<Term, Error> {
    let mut list = labels(context, text, values.ndim())?;
    let mut values = values.clone();
    while let Some((first, second)) = repeated(&list) {
        let length = values.shape()[first];
        if length != values.shape()[second] {
            return Err(context.error(format!(
                "term {text} has no diagonal of {:?}",
                values.shape()
            )));
        }
        let view = values.view();
        let lines: Vec<_> = (0..length)
            .map(|i| {
                let line = view.clone().index_axis_move(Axis(second), i);
                line.index_axis_move(Axis(first), i)
            })
            .collect();
        let diagonal = match lines.is_empty() {
            false => ndarray::stack(Axis(first), &lines).expect("lines are alike"),
            true => {
                let mut shape = values.shape().to_vec();
                shape.remove(second);
                ArrayD::zeros(IxDyn(&shape))
            }
        };
        values = diagonal;
        list.remove(second);
    }
    Ok(Term {
        labels: list,
        values,
    })
}

fn repeated(labels: &[Label]) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|second| {
        let first = labels[..second]
            .iter()
            .position(|label| *label == labels[second]);
        first.map(|first| (first, second))
    })
}

impl Term {
    /// Sums over the labels that nothing else has. Sums are binary64.
    fn sum_over(mut self, keep: impl Fn(&Label) -> bool) -> Self {
        for axis in (0..self.labels.len()).rev() {
            if !keep(&self.labels[axis]) {
                let sum = |line: ndarray::ArrayView1<'_, f32>| {
                    line.iter().map(|&value| f64::from(value)).sum::<f64>() as f32
                };
                self.values = self.values.map_axis(Axis(axis), sum);
                self.labels.remove(axis);
            }
        }
        self
    }

    /// The operand with these axes, in C order; lengths of those that it lacks are 1.
    fn arranged(&self, order: &[Label]) -> ArrayD<f32> {
        let own: Vec<usize> = order
            .iter()
            .filter_map(|label| self.labels.iter().position(|own| own == label))
            .collect();
        let mut view = self.values.view().permuted_axes(IxDyn(&own));
        for (axis, label) in order.iter().enumerate() {
            if !self.labels.contains(label) {
                view.insert_axis_inplace(Axis(axis));
            }
        }
        view.as_standard_layout().into_owned()
    }

    fn length(&self, label: &Label) -> Option<usize> {
        let axis = self.labels.iter().position(|own| own == label)?;
        Some(self.values.shape()[axis])
    }
}

pub(super) fn einsum(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let equation: String = context.text("equation", "")?;
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let texts: Vec<&str> = left.split(',').collect();
    if texts.len() != inputs.len() || texts.len() > 2 {
        let found = format!("equation {equation} of {} operands (1 or 2)", inputs.len());
        return Err(context.error(found));
    }
    let mut terms = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        terms.push(term(context, text, context.floats(inputs, place)?)?);
    }
    let output = match right {
        Some(text) => {
            let has = |label: &&Label| matches!(label, Label::Ellipsis(_));
            let under = terms
                .iter()
                .map(|term| term.labels.iter().filter(has).count());
            let letters = text.replace("...", "").len();
            let dots = if text.contains("...") {
                under.max().unwrap_or(0)
            } else {
                0
            };
            labels(context, text, letters + dots)?
        }
        None => implicit(left, &terms),
    };
    let known = |label: &Label| terms.iter().any(|term| term.labels.contains(label));
    if repeated(&output).is_some() || !output.iter().all(known) {
        return Err(context.error(format!("equation {equation}: a result that no operand has")));
    }
    let result = match <[Term; 2]>::try_from(terms) {
        Err(mut one) => {
            let one = one.pop().expect("there is one operand");
            let one = one
                .sum_over(|label| output.contains(label))
                .arranged(&output);
            // There is no product, and nothing to watch.
            one
        }
        Ok([a, b]) => {
            let result = two(context, &equation, a, b, &output)?;
            let (a, b) = (context.floats(inputs, 0)?, context.floats(inputs, 1)?);
            finish(context, a, b, result)?
        }
    };
    Ok(vec![Tensor::Float(result)])
}

/// Without an arrow: axes under the ellipsis, then the letters that are there once, by the alphabet.
fn implicit(left: &str, terms: &[Term]) -> Vec<Label> {
    let once = |label: &Label| match label {
        Label::Ellipsis(_) => true,
        Label::Letter(c) => left.bytes().filter(|other| other == c).count() == 1,
    };
    let all = terms.iter().flat_map(|term| term.labels.iter().copied());
    let mut output: Vec<Label> = all.filter(once).collect();
    output.sort_unstable();
    output.dedup();
    output
}

/// Two operands as products, one for each place of the labels that both and the result have.
fn two(
    context: &mut Context<'_, '_>,
    equation: &str,
    a: Term,
    b: Term,
    output: &[Label],
) -> Result<ArrayD<f32>, Error> {
    let a = a.sum_over(|label| output.contains(label) || b.labels.contains(label));
    let b = b.sum_over(|label| output.contains(label) || a.labels.contains(label));
    let both = |label: &Label| a.labels.contains(label) && b.labels.contains(label);
    for label in a.labels.iter().filter(|label| both(label)) {
        let lengths = (a.length(label), b.length(label));
        // Only what is under an ellipsis broadcasts, and only batches.
        let broadcasts = matches!(label, Label::Ellipsis(_)) && output.contains(label);
        let one = [lengths.0, lengths.1].contains(&Some(1));
        if lengths.0 != lengths.1 && !(broadcasts && one) {
            let shapes = format!("{:?} and {:?}", a.values.shape(), b.values.shape());
            return Err(context.error(format!("equation {equation}: shapes {shapes}")));
        }
    }
    let pick = |labels: &[Label], keep: &dyn Fn(&Label) -> bool| -> Vec<Label> {
        labels.iter().copied().filter(|label| keep(label)).collect()
    };
    let batch = pick(output, &both);
    let rows = pick(output, &|label| a.labels.contains(label) && !both(label));
    let cols = pick(output, &|label| b.labels.contains(label) && !both(label));
    let terms = pick(&a.labels, &|label| both(label) && !output.contains(label));
    let lengths = |term: &Term, labels: &[Label]| -> Vec<usize> {
        labels
            .iter()
            .map(|label| term.length(label).unwrap_or(1))
            .collect()
    };
    // A length of 1 gives way to the other operand's.
    let pairs = lengths(&a, &batch).into_iter().zip(lengths(&b, &batch));
    let batches: Vec<usize> = pairs.map(|(x, y)| if x == 1 { y } else { x }).collect();
    let (row_lengths, col_lengths) = (lengths(&a, &rows), lengths(&b, &cols));
    let whole = [batches.as_slice(), &row_lengths, &col_lengths].concat();
    context.elements(&whole)?;
    let m: usize = row_lengths.iter().product();
    let n: usize = col_lengths.iter().product();
    let k: usize = lengths(&a, &terms).iter().product();
    let fold = |values: ArrayD<f32>, rest: [usize; 2]| {
        let own = [&values.shape()[..batch.len()], &rest].concat();
        values
            .into_shape_with_order(IxDyn(&own))
            .expect("the same elements")
    };
    let left = fold(a.arranged(&[&batch[..], &rows, &terms].concat()), [m, k]);
    let right = fold(b.arranged(&[&batch[..], &terms, &cols].concat()), [k, n]);
    let with = |rest: [usize; 2]| [&batches[..], &rest].concat();
    let constant = context.constant.get(1) == Some(&true);
    let products = &mut *context.products;
    let codes = [
        products.whole(context.node, Lines::Rows, &left, false)?,
        products.whole(context.node, Lines::Columns, &right, constant)?,
    ];
    let left = Operand::of(left.view(), codes[0].as_ref());
    let right = Operand::of(right.view(), codes[1].as_ref());
    let (left, right) = (
        left.broadcast(&with([m, k])),
        right.broadcast(&with([k, n])),
    );
    let result = batched(context, (&left, &right), &batches, (m, n))?;
    let values = result.into_shape_with_order(IxDyn(&whole));
    let made = Term {
        labels: [batch, rows, cols].concat(),
        values: values.expect("the same elements"),
    };
    Ok(made.arranged(output))
}
