//! `quaver_job_control`: starts a job, and knows when it has ended.

use crate::csr::Settings;
use crate::shape::{Shape, index_bits};
use crate::trace::{Visitor, VisitorExt as _};

/// `state_q`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle = 0,
    Check = 1,
    Run = 2,
}

const LAST_ROUNDING: u32 = 4;
const LAST_SCALE_MODE: u32 = 2;

#[derive(Clone, Debug, Default)]
pub(crate) struct JobControl {
    state_q: State,
    pub(crate) start_q: bool,
    pub(crate) done_q: bool,
    pub(crate) bad_job_q: bool,
    pub(crate) write_refused_q: bool,
    pub(crate) format_a_q: usize,
    pub(crate) format_b_q: usize,
    pub(crate) format_d_q: usize,
}

impl JobControl {
    pub(crate) fn busy(&self) -> bool {
        self.state_q != State::Idle
    }

    /// CONTROL.start begins a job: `clear_o`.
    pub(crate) fn accepts(&self, start: bool) -> bool {
        start && self.state_q == State::Idle
    }

    pub(crate) fn clock(
        &mut self,
        shape: &Shape,
        settings: &Settings,
        start: bool,
        finished: bool,
        refused: bool,
    ) {
        self.start_q = false;
        self.write_refused_q |= refused;
        match self.state_q {
            State::Check => self.check(shape, settings),
            State::Run if finished => {
                self.state_q = State::Idle;
                self.done_q = true;
            }
            State::Idle if start => {
                *self = Self {
                    state_q: State::Check,
                    format_a_q: self.format_a_q,
                    format_b_q: self.format_b_q,
                    format_d_q: self.format_d_q,
                    ..Self::default()
                };
            }
            State::Run | State::Idle => {}
        }
    }

    fn check(&mut self, shape: &Shape, settings: &Settings) {
        let find = |formats: &[(_, u8)], id| formats.iter().position(|&(_, i)| u32::from(i) == id);
        let a = find(&shape.operand_formats, settings.format_a);
        let b = find(&shape.operand_formats, settings.format_b);
        let d = find(&shape.output_formats, settings.format_d);
        // A policy needs a code in the output format.
        let policy_is_legal = |policy| {
            let format = d.map(|index| shape.output_formats[index].0);
            match policy {
                0 => true,
                1 => format.is_some_and(|f| f.infinity_code().is_some()),
                2 => format.is_some_and(|f| f.nan_code().is_some()),
                _ => false,
            }
        };
        let legal = a.is_some()
            && b.is_some()
            && d.is_some()
            && settings.rounding <= LAST_ROUNDING
            && policy_is_legal(settings.overflow)
            && policy_is_legal(settings.infinity)
            && settings.scale_mode <= LAST_SCALE_MODE
            && shape.max_k.is_none_or(|most| settings.k <= most);
        let empty = settings.m == 0 || settings.n == 0;
        self.format_a_q = a.unwrap_or(0);
        self.format_b_q = b.unwrap_or(0);
        self.format_d_q = d.unwrap_or(0);
        self.start_q = legal && !empty;
        self.state_q = if self.start_q {
            State::Run
        } else {
            State::Idle
        };
        self.done_q = legal && empty;
        self.bad_job_q = !legal;
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        let operand = index_bits(shape.operand_formats.len());
        let output = index_bits(shape.output_formats.len());
        v.bits("state_q", 2, self.state_q as u32);
        v.flag("start_q", self.start_q);
        v.flag("done_q", self.done_q);
        v.flag("bad_job_q", self.bad_job_q);
        v.flag("write_refused_q", self.write_refused_q);
        v.bits("format_a_q", operand, self.format_a_q as u32);
        v.bits("format_b_q", operand, self.format_b_q as u32);
        v.bits("format_d_q", output, self.format_d_q as u32);
    }
}
