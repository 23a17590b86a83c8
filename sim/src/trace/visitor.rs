//! How the registers of the model are told to whoever wants them, by their Verilog names.

/// Receives every register of the core in a fixed order, in the Verilog's hierarchy.
pub trait Visitor {
    /// The following is inside a module instance or generate block: `gen_row[3]` has an index.
    fn enter(&mut self, scope: &'static str, index: Option<usize>);

    /// The end of the innermost scope.
    fn leave(&mut self);

    /// A register of `width` bits: words of 32 bits, low bits first. `real` is what the bits mean
    /// where they are a floating-point number.
    fn register(&mut self, name: &str, width: u32, words: &[u32], real: Option<f64>);
}

/// What comes easily from the one method.
pub(crate) trait VisitorExt: Visitor {
    /// Visits what is inside a scope.
    fn scope(&mut self, name: &'static str, index: Option<usize>, inside: impl FnOnce(&mut Self)) {
        self.enter(name, index);
        inside(self);
        self.leave();
    }

    /// A register of at most 32 bits.
    fn bits(&mut self, name: &str, width: u32, value: u32) {
        self.register(name, width, &[value], None);
    }

    /// A register of one bit.
    fn flag(&mut self, name: &str, value: bool) {
        self.bits(name, 1, value.into());
    }

    /// A binary32 register.
    fn fp32(&mut self, name: &str, value: u32) {
        self.register(name, 32, &[value], Some(f32::from_bits(value).into()));
    }

    /// A register of several fields, the first in the low bits.
    fn packed(&mut self, name: &str, fields: impl IntoIterator<Item = (u32, u32)>) {
        let mut pack = Pack::default();
        for (value, width) in fields {
            pack.push(value, width);
        }
        self.register(name, pack.width, &pack.words, None);
    }

    /// A `quaver_delay` of several clocks, the newest word in the low bits; without any it has no
    /// register.
    fn line(&mut self, name: &'static str, fields: impl IntoIterator<Item = (u32, u32)>) {
        let mut fields = fields.into_iter().peekable();
        if fields.peek().is_some() {
            self.scope(name, None, |v| {
                v.scope("gen_line", None, |v| v.packed("line_q", fields));
            });
        }
    }
}

impl<V: Visitor + ?Sized> VisitorExt for V {}

/// Fields put together, low bits first.
#[derive(Default)]
struct Pack {
    words: Vec<u32>,
    width: u32,
}

impl Pack {
    fn push(&mut self, value: u32, width: u32) {
        let place = self.width % 32;
        if place == 0 {
            self.words.push(0);
        }
        let shifted = u64::from(value) << place;
        *self.words.last_mut().expect("a word was pushed") |= shifted as u32;
        if place + width > 32 {
            self.words.push((shifted >> 32) as u32);
        }
        self.width += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_packed_low_bits_first() {
        let mut pack = Pack::default();
        for (value, width) in [
            (0b101, 3),
            (0xffff_fffe, 32),
            (1, 1),
            (0x0fff_ffff, 28),
            (3, 2),
        ] {
            pack.push(value, width);
        }
        assert_eq!((pack.width, pack.words.len()), (66, 3));
        assert_eq!(pack.words, [0xffff_fff5, 0xffff_ffff, 3]);
    }
}
