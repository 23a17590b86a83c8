//! Examples and their order.

use ndarray::{ArrayD, Axis};

use crate::{Error, Tensor};

/// Examples along the first axis of the model's input, and the class of each.
#[derive(Clone, Debug)]
pub struct Examples {
    pub(super) inputs: ArrayD<f32>,
    pub(super) labels: Vec<usize>,
}

impl Examples {
    /// Of an input of that name and classes.
    ///
    /// # Errors
    /// [`Error::Illegal`] for an input that is not of finite FP32 numbers or has no examples, labels
    /// that are no integers from 0 along one axis, or other than one for each example.
    pub fn new(name: &str, inputs: Tensor, labels: &Tensor) -> Result<Self, Error> {
        let Tensor::Float(inputs) = inputs else {
            let found = inputs.element_type().name();
            return Err(Error::illegal(format!("array {name}"), found, "FLOAT"));
        };
        let count = inputs.shape().first().copied().unwrap_or(0);
        if count == 0 {
            let found = format!("of shape {:?}", inputs.shape());
            let allowed = "1 or more examples along the first axis";
            return Err(Error::illegal(format!("array {name}"), found, allowed));
        }
        let bad = inputs.iter().enumerate().find(|(_, x)| !x.is_finite());
        if let Some((place, value)) = bad {
            let key = format!("array {name}, element {place}");
            return Err(Error::illegal(key, value, "finite numbers"));
        }
        let labels = classes(labels)?;
        if labels.len() != count {
            let allowed = format!("{count}, one for each example of {name}");
            return Err(Error::illegal("number of labels", labels.len(), allowed));
        }
        Ok(Self { inputs, labels })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// Those at the given places.
    pub(super) fn at(&self, places: &[usize]) -> Self {
        Self {
            inputs: self.inputs.select(Axis(0), places),
            labels: places.iter().map(|&place| self.labels[place]).collect(),
        }
    }
}

fn classes(labels: &Tensor) -> Result<Vec<usize>, Error> {
    let allowed = "integers from 0 along one axis";
    let Tensor::Int(_, values) = labels else {
        let found = labels.element_type().name();
        return Err(Error::illegal("array of labels", found, allowed));
    };
    if values.ndim() != 1 {
        let found = format!("of shape {:?}", values.shape());
        return Err(Error::illegal("array of labels", found, allowed));
    }
    let class = |&label: &i64| {
        let class = usize::try_from(label);
        class.map_err(|_| Error::illegal("label", label, allowed))
    };
    values.iter().map(class).collect()
}

/// Orders of examples, from a seed (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub(super) struct Shuffle {
    state: u64,
}

impl Shuffle {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The numbers below `count` in another order (Fisher and Yates). A place is the upper word of a
    /// random number's product with how many are left, whose bias is below 2^-32 for fewer than 2^32.
    pub(super) fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for left in (2..=count).rev() {
            let place = (u128::from(self.next()) * left as u128) >> 64;
            order.swap(left - 1, place as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ElementType;
    use ndarray::{arr1, arr2};

    #[test]
    fn orders_are_permutations_of_a_seed() {
        let (mut one, mut same) = (Shuffle::new(7), Shuffle::new(7));
        let (first, second) = (one.order(100), one.order(100));
        assert_eq!(same.order(100), first);
        assert_ne!(first, second);
        assert_ne!(Shuffle::new(8).order(100), first);
        let mut sorted = first;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..100));
        assert_eq!(Shuffle::new(1).order(1), [0]);
    }

    #[test]
    fn shuffle_vs_published_splitmix64() {
        // The first outputs for seed 1234567, as published with the reference implementation.
        let mut shuffle = Shuffle::new(1_234_567);
        assert_eq!(shuffle.next(), 6_457_827_717_110_365_317);
        assert_eq!(shuffle.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn bad_examples_are_named() {
        let good = || Tensor::Float(arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn());
        let labels = |list: &[i64]| Tensor::Int(ElementType::Int64, arr1(list).into_dyn());
        let whole = |inputs, labels: Tensor| {
            let examples = Examples::new("x", inputs, &labels);
            examples
                .map(|examples| examples.count())
                .map_err(|error| error.to_string())
        };
        assert_eq!(whole(good(), labels(&[0, 1])), Ok(2));
        let nan = Tensor::Float(arr2(&[[1.0, f32::NAN]]).into_dyn());
        let none = Tensor::Float(ArrayD::zeros(ndarray::IxDyn(&[0, 2])));
        let scalar = Tensor::Float(ndarray::arr0(1.0).into_dyn());
        let square = Tensor::Int(ElementType::Int64, arr2(&[[0, 1]]).into_dyn());
        for (inputs, labels, part) in [
            (
                good(),
                labels(&[0]),
                "number of labels 1 is not allowed (2,",
            ),
            (good(), labels(&[0, -1]), "label -1"),
            (good(), good(), "array of labels FLOAT"),
            (good(), square, "array of labels of shape [1, 2]"),
            (nan, labels(&[0]), "array x, element 1 NaN"),
            (none, labels(&[]), "array x of shape [0, 2]"),
            (scalar, labels(&[0]), "array x of shape []"),
            (labels(&[3]), labels(&[0]), "array x INT64"),
        ] {
            let error = whole(inputs, labels).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
