//! Constants of the file as tensors, and back.

use ndarray::{ArrayD, IxDyn};

use super::{Bytes, Initializer};
use crate::{ElementType, Error, Tensor};

impl Initializer {
    /// Its elements as a [`Tensor`]: FLOAT as numbers; DOUBLE as well, each rounded to FP32 (nearest,
    /// ties to even); integers as such; BOOL by whether the byte is 0; every narrow floating-point
    /// type as codes.
    ///
    /// # Errors
    /// [`Error::Illegal`] for a UINT64 beyond 2^63 - 1, or a shape that is not that of the bytes.
    pub fn tensor(&self) -> Result<Tensor, Error> {
        let element = self.element;
        Ok(match element {
            ElementType::Float => {
                Tensor::Float(self.array(self.words().map(f32::from_le_bytes).collect())?)
            }
            ElementType::Double => Tensor::Float(
                self.array(
                    self.words()
                        .map(|word| f64::from_le_bytes(word) as f32)
                        .collect(),
                )?,
            ),
            ElementType::Bool => {
                Tensor::Bool(self.array(self.bytes.iter().map(|&byte| byte != 0).collect())?)
            }
            _ if element.is_integer() => {
                let integer = |bits: u64| {
                    let unused = 64 - element.bits();
                    let integer = match element.is_signed() {
                        true => Some((bits << unused).cast_signed() >> unused),
                        false => i64::try_from(bits).ok(),
                    };
                    integer.ok_or_else(|| Error::illegal(&self.name, bits, "up to 2^63 - 1"))
                };
                let mut integers = Vec::with_capacity(self.held());
                for bits in self.bits() {
                    integers.push(integer(bits)?);
                }
                Tensor::Int(element, self.array(integers)?)
            }
            _ => {
                // Codes have 16 bits at most.
                let mut codes = Vec::with_capacity(self.held());
                codes.extend(self.bits().map(|bits| bits as u16));
                Tensor::Codes(element, self.array(codes)?)
            }
        })
    }

    /// A tensor as the file would hold it.
    ///
    /// # Errors
    /// [`Error::Illegal`] for integers and codes that the element type does not have.
    pub fn new(name: impl Into<String>, tensor: &Tensor) -> Result<Self, Error> {
        let name = name.into();
        let element = tensor.element_type();
        let bytes = match tensor {
            Tensor::Float(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Tensor::Bool(values) => values.iter().map(|&x| u8::from(x)).collect(),
            Tensor::Int(_, values) => {
                let bits = element.bits();
                let unused = 64 - bits;
                let fits = |x: i64| match element.is_signed() {
                    true => x << unused >> unused == x,
                    false => x >= 0 && (bits == 64 || x >> bits == 0),
                };
                if let Some(x) = values.iter().find(|x| !fits(**x)) {
                    return Err(Error::illegal(name, x, element.name()));
                }
                pack(element, values.iter().map(|x| x.cast_unsigned()))
            }
            Tensor::Codes(_, codes) => {
                let fits = |code: u16| u32::from(code) >> element.bits() == 0;
                if let Some(code) = codes.iter().find(|code| !fits(**code)) {
                    let code = format!("code {code:#x}");
                    return Err(Error::illegal(name, code, element.name()));
                }
                pack(element, codes.iter().map(|&code| u64::from(code)))
            }
        };
        Ok(Self {
            name,
            element,
            shape: tensor.shape().to_vec(),
            bytes: Bytes::Owned(bytes),
        })
    }

    /// How many elements it has.
    pub fn elements(&self) -> usize {
        match self.shape.contains(&0) {
            true => 0,
            false => self.shape.iter().product(),
        }
    }

    /// Most elements that its bytes hold.
    fn held(&self) -> usize {
        self.elements()
            .min(8 * self.bytes.len() / self.element.bits())
    }

    fn array<T>(&self, elements: Vec<T>) -> Result<ArrayD<T>, Error> {
        let found = elements.len();
        ArrayD::from_shape_vec(IxDyn(&self.shape), elements).map_err(|_| {
            let allowed = format!("shape {:?}", self.shape);
            Error::illegal(&self.name, format!("of {found} elements"), allowed)
        })
    }

    /// Its words of one fixed width.
    fn words<const BYTES: usize>(&self) -> impl Iterator<Item = [u8; BYTES]> {
        self.bytes.as_chunks().0.iter().copied()
    }

    /// The bits of every element, right-aligned.
    fn bits(&self) -> impl Iterator<Item = u64> {
        let bits = self.element.bits();
        let (bytes, mask) = (bits.div_ceil(8), u64::MAX >> (64 - bits));
        let each = 8 * bytes / bits;
        let words = self.bytes.chunks_exact(bytes).map(|word| {
            let high_first = word.iter().rev();
            high_first.fold(0, |bits, byte| bits << 8 | u64::from(*byte))
        });
        let elements =
            words.flat_map(move |word| (0..each).map(move |i| word >> (i * bits) & mask));
        elements.take(self.elements())
    }
}

/// The bytes of elements, given by bits of which those above the type's width are ignored.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a byte of the bits at a time"
)]
fn pack(element: ElementType, elements: impl ExactSizeIterator<Item = u64>) -> Vec<u8> {
    let bits = element.bits();
    if bits >= 8 {
        let bytes = elements.flat_map(|word| word.to_le_bytes().into_iter().take(bits / 8));
        return bytes.collect();
    }
    let mut bytes = vec![0; (elements.len() * bits).div_ceil(8)];
    for (i, element) in elements.enumerate() {
        let (at, shift) = (i * bits / 8, i * bits % 8);
        bytes[at] |= (element as u8 & ((1 << bits) - 1)) << shift;
    }
    bytes
}
