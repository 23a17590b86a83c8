//! `quaver_bank_status`: what each of the two banks of partial sums is for.

use crate::trace::{Visitor, VisitorExt as _};

/// `state_q`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Free = 0,
    Preloaded = 1,
    Computing = 2,
    Computed = 3,
}

/// Which bank each event names, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Events {
    pub(crate) preloaded: Option<usize>,
    pub(crate) claimed: Option<usize>,
    pub(crate) computed: Option<usize>,
    pub(crate) drained: Option<usize>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct BankStatus {
    state_q: [State; 2],
}

impl BankStatus {
    pub(crate) fn free(&self, bank: usize) -> bool {
        self.state_q[bank] == State::Free
    }

    pub(crate) fn preloaded(&self, bank: usize) -> bool {
        self.state_q[bank] == State::Preloaded
    }

    pub(crate) fn computed(&self, bank: usize) -> bool {
        self.state_q[bank] == State::Computed
    }

    pub(crate) fn clock(&mut self, events: &Events) {
        // Events in one clock name different banks, or follow each other in the bank's life: the
        // earlier one in that life has precedence, so it is written last.
        let changes = [
            (events.drained, State::Free),
            (events.computed, State::Computed),
            (events.claimed, State::Computing),
            (events.preloaded, State::Preloaded),
        ];
        for (bank, state) in changes {
            if let Some(bank) = bank {
                self.state_q[bank] = state;
            }
        }
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor) {
        for (bank, &state) in self.state_q.iter().enumerate() {
            v.scope("gen_bank", Some(bank), |v| {
                v.bits("state_q", 2, state as u32)
            });
        }
    }
}
