//! `quaver_core` and `quaver_os_core`: the units wired together, and the clock.

use quaver_contract::CoreConfig;

use crate::SimError;
use crate::axi_lite::{AxiLite, AxiLiteOutputs};
use crate::bank_status::{BankStatus, Events};
use crate::breakdown::Breakdown;
use crate::counters::Counters;
use crate::csr::{CONTROL, Csr};
use crate::drain::{Controls, Drain};
use crate::drain_control::DrainControl;
use crate::flow::{Flow, Given};
use crate::job_control::JobControl;
use crate::levels::Levels;
use crate::ports::{Inputs, Outputs};
use crate::preloader::Preloader;
use crate::psum_memory::{PsumMemory, RowOf};
use crate::shape::Shape;
use crate::trace::{Visitor, VisitorExt as _};

/// The core, register by register: at every clock each register of the Verilog has the value
/// that it has in the Verilog. The cuts inside the arithmetic units are not registers here; their
/// results are, at the units' outputs.
#[derive(Clone)]
pub struct Core {
    shape: Shape,
    /// The inputs, to be set before each clock.
    pub inputs: Inputs,
    /// Of every operand format, what its codes are in the model.
    tables: Vec<[u32; 256]>,
    abort_q: bool,
    axi_lite: AxiLite,
    csr: Csr,
    job_control: JobControl,
    counters: Counters,
    flow: Flow,
    preloader: Preloader,
    drain_control: DrainControl,
    bank_status: BankStatus,
    psum_memory: PsumMemory,
    drain: Drain,
    /// The partial sums that the drain takes in the clock at hand.
    drain_psum: Vec<u32>,
    /// What the launcher did since the last job began; no register.
    breakdown: Breakdown,
}

impl Core {
    /// The core of a configuration, as it powers up: every register 0, in reset.
    ///
    /// # Errors
    /// [`SimError::Accumulator`] for a configuration that has no Verilog either.
    pub fn new(config: &CoreConfig) -> Result<Self, SimError> {
        let shape = Shape::new(config)?;
        Ok(Self {
            inputs: Inputs::new(&shape),
            tables: (0..shape.operand_formats.len())
                .map(|position| shape.table(position))
                .collect(),
            abort_q: false,
            axi_lite: AxiLite::default(),
            csr: Csr::new(config),
            job_control: JobControl::default(),
            counters: Counters::default(),
            flow: Flow::new(&shape),
            preloader: Preloader::new(&shape),
            drain_control: DrainControl::new(&shape),
            bank_status: BankStatus::default(),
            psum_memory: PsumMemory::new(&shape),
            drain: Drain::new(&shape),
            drain_psum: vec![0; shape.cols * shape.psum_words()],
            breakdown: Breakdown::default(),
            shape,
        })
    }

    /// The parameters and widths.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What the register bus is given.
    pub fn s_axil(&self) -> AxiLiteOutputs {
        self.axi_lite.outputs()
    }

    /// STATUS.busy.
    pub fn busy(&self) -> bool {
        self.job_control.busy()
    }

    /// What the launcher did in the clocks since the last job was started.
    pub const fn breakdown(&self) -> &Breakdown {
        &self.breakdown
    }

    /// The outputs. They follow from registers alone, so they are those that every receiver sees
    /// at the next clock edge, whatever the inputs are; but for `s_axis_c_tready` of an exact core,
    /// which follows from `m_axis_d_tready` too.
    pub fn outputs(&self) -> Outputs<'_> {
        let settings = &self.csr.settings;
        let free = self.bank_status.free(self.preloader.bank_q);
        let control = &self.drain_control;
        let [preload, drain_init] = self.init();
        let parameters = [settings.scale_mode == 2, settings.bias, drain_init];
        let computed = self.bank_status.computed(control.bank_q);
        let advance = !self.drain.tvalid() || self.inputs.m_axis_d_tready;
        let control = control.wires(
            parameters,
            false,
            false,
            computed,
            advance,
            self.drain.empty(),
        );
        let preloader = self.preloader.wires(free, preload, false);
        let [a_ready, b_ready] = self.flow.ready(&self.bank_status, preload);
        let (tlast, cols) = self.drain.row_o();
        Outputs {
            s_axis_a_tready: a_ready,
            s_axis_b_tready: b_ready,
            s_axis_c_tready: preloader.ready || control.init_ready,
            s_axis_p_tready: control.ready,
            m_axis_d_tdata: self.drain.tdata(),
            m_axis_d_cols: cols,
            m_axis_d_tlast: tlast,
            m_axis_d_tvalid: self.drain.tvalid(),
            irq_o: self.job_control.done_q || self.job_control.bad_job_q,
        }
    }

    /// Whether initial values go to the banks, and whether to the drain, as those of exact sums do.
    const fn init(&self) -> [bool; 2] {
        let (init, exact) = (self.csr.settings.init, self.shape.fixed.is_some());
        [init && !exact, init && exact]
    }

    /// One clock with the inputs as they are.
    pub fn clock(&mut self) {
        let settings = self.csr.settings;
        let [preload_init, drain_init] = self.init();
        let sizes = [settings.m, settings.n, settings.k];
        let inputs = &self.inputs;
        let busy = self.job_control.busy();

        // Registers.
        let request = self.axi_lite.request(&inputs.s_axil);
        let refused = request.write && busy && request.addr != CONTROL;
        let job = &self.job_control;
        let counts = self.counters.count_q;
        let answer = self
            .csr
            .answer(&request, request.write && !refused, |name| match name {
                "busy" => busy.into(),
                "done" => job.done_q.into(),
                "write_refused" => job.write_refused_q.into(),
                "bad_job" => job.bad_job_q.into(),
                _ => COUNTERS
                    .iter()
                    .position(|&n| n == name)
                    .map_or(0, |i| counts[i]),
            });

        // Sequencer.
        let start = self.job_control.start_q;
        let (tvalid, tready) = (self.drain.tvalid(), inputs.m_axis_d_tready);
        let advance = !tvalid || tready;
        let (tlast, _) = self.drain.row_o();
        let given = Given {
            inputs,
            start,
            sizes,
            banks: &self.bank_status,
            init: preload_init,
            tables: [self.job_control.format_a_q, self.job_control.format_b_q]
                .map(|format| &self.tables[format]),
        };
        let flow = self.flow.wires(&given, &self.psum_memory);
        let free = self.bank_status.free(self.preloader.bank_q);
        let preloader = self
            .preloader
            .wires(free, preload_init, inputs.s_axis_c.tvalid);
        let control = self.drain_control.wires(
            [settings.scale_mode == 2, settings.bias, drain_init],
            inputs.s_axis_p.tvalid,
            inputs.s_axis_c.tvalid,
            self.bank_status.computed(self.drain_control.bank_q),
            advance,
            self.drain.empty(),
        );
        let events = Events {
            preloaded: preloader.done.then_some(self.preloader.bank_q),
            claimed: flow.claim,
            computed: flow.computed,
            drained: control.drained.then_some(self.drain_control.read_bank_q),
        };

        // The edge, from the end of the datapath to its beginning.
        let words = self.psum_memory.drain_psum_o();
        if self.drain_psum.len() == words.len() {
            self.drain_psum.copy_from_slice(words);
        } else {
            Levels::outer(words, &mut self.drain_psum);
        }
        let controls = Controls {
            start,
            load_scale: control.load_scale,
            load_bias: control.load_bias,
            parameters: &inputs.s_axis_p.tdata,
            load_init: control.load_init,
            init: &inputs.s_axis_c.tdata,
            row_valid: self.drain_control.read_valid_q,
            row_cols: self.drain_control.read_cols_q,
            row_last: self.drain_control.read_job_last_q,
            psum: &self.drain_psum,
        };
        self.drain.clock(
            &self.shape,
            &settings,
            self.job_control.format_d_q,
            &controls,
            advance,
        );
        let preload = RowOf {
            bank: self.preloader.bank_q,
            row: self.preloader.row_q,
        };
        let drain = RowOf {
            bank: self.drain_control.bank_q,
            row: self.drain_control.row_q,
        };
        self.flow.count(&mut self.breakdown);
        self.flow.clock(
            &self.shape,
            &given,
            &mut self.psum_memory,
            preloader.write.then_some((preload, &inputs.s_axis_c.tdata)),
            control.read.then_some(drain),
        );
        self.drain_control.clock(&control, start, sizes, advance);
        self.preloader.clock(&preloader, start, sizes);
        self.bank_status.clock(&events);
        let clear = self.job_control.accepts(answer.start);
        if clear {
            self.breakdown = Breakdown::default();
        }
        let stalls = [
            flow.stall_a,
            flow.stall_b,
            preloader.stall || control.init_stall,
            control.stall,
            tvalid && !tready,
        ];
        let [a, b, c, p, d] = stalls;
        self.counters
            .clock(clear, busy, [true, flow.launch, a, b, c, p, d]);
        let finished = tvalid && tready && tlast;
        self.job_control
            .clock(&self.shape, &settings, answer.start, finished, refused);
        self.axi_lite.clock(
            &inputs.s_axil,
            &request,
            answer.rdata,
            answer.error || refused,
        );
        if request.write && !refused {
            self.csr.write(&request);
        }

        // Resets.
        let rst_ni = inputs.rst_ni;
        if !rst_ni || self.abort_q {
            self.reset_job();
        }
        self.abort_q = rst_ni && answer.abort;
        if !rst_ni {
            self.axi_lite = AxiLite::default();
            self.csr.reset();
            self.counters = Counters::default();
        }
    }

    /// What CONTROL.abort resets.
    fn reset_job(&mut self) {
        self.job_control = JobControl::default();
        self.flow.reset();
        self.preloader.reset();
        self.drain_control.reset(&self.shape);
        self.bank_status = BankStatus::default();
        self.psum_memory.reset();
        self.drain.reset();
    }

    /// Tells every register of the core, inside the scope `u_core` of the generated top.
    pub fn visit(&self, v: &mut dyn Visitor) {
        let shape = &self.shape;
        v.scope("u_core", None, |v| {
            v.scope("u_control", None, |v| {
                v.flag("abort_q", self.abort_q);
                v.scope("u_axi_lite", None, |v| self.axi_lite.visit(v));
                v.scope("u_csr", None, |v| self.csr.visit(v));
                v.scope("u_job_control", None, |v| self.job_control.visit(v, shape));
                v.scope("u_counters", None, |v| self.counters.visit(v));
            });
            self.flow.visit(v, shape);
            v.scope("u_preloader", None, |v| self.preloader.visit(v, shape));
            v.scope("u_drain_control", None, |v| {
                self.drain_control.visit(v, shape)
            });
            v.scope("u_bank_status", None, |v| self.bank_status.visit(v));
            v.scope("u_psum_memory", None, |v| self.psum_memory.visit(v, shape));
            v.scope("u_drain", None, |v| self.drain.visit(v, shape));
        });
    }

    /// Every word of the partial-sum memory: bank, row, column and its bits, in words of 32.
    pub fn memory_words(&self) -> impl Iterator<Item = (usize, usize, usize, &[u32])> {
        self.psum_memory.words()
    }
}

/// The counters' fields in the CSR map, in the order of `quaver_counters`.
const COUNTERS: [&str; 7] = [
    "cycles", "rows", "stall_a", "stall_b", "stall_c", "stall_p", "stall_d",
];
