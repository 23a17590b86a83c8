//! `quaver_counters`: what a job cost.

use crate::trace::{Visitor, VisitorExt as _};

/// Number of counters: cycles, rows, and the stalls of a, b, c, p and d.
pub(crate) const COUNT: usize = 7;

#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) count_q: [u32; COUNT],
}

impl Counters {
    pub(crate) fn clock(&mut self, clear: bool, busy: bool, events: [bool; COUNT]) {
        if clear {
            self.count_q = [0; COUNT];
        } else if busy {
            for (count, event) in self.count_q.iter_mut().zip(events) {
                *count = count.wrapping_add(event.into());
            }
        }
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor) {
        for (index, &count) in self.count_q.iter().enumerate() {
            v.scope("gen_counter", Some(index), |v| v.bits("count_q", 32, count));
        }
    }
}
