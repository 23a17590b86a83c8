//! The model's waveform: a VCD (IEEE 1364-2001, clause 18) with the Verilog's names.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use vcd::{IdCode, TimescaleUnit, Value, VarType, Writer};

use super::{Visitor, VisitorExt as _};
use crate::{Core, SimError};

/// Suffix of the variable that shows a register's number beside its bits.
const REAL_SUFFIX: &str = "_value";

/// A waveform under way. Cycle n is at times 2n, with the clock low and the registers as they were,
/// and 2n + 1, after the edge: as in the simulators' waveforms.
pub struct Vcd {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
    variables: Vec<Variable>,
    clock: IdCode,
    time: u64,
}

struct Variable {
    id: IdCode,
    real: Option<IdCode>,
    width: u32,
    /// The words last written; none at first.
    words: Vec<u32>,
}

impl Vcd {
    /// Begins the waveform of a core whose top is `top`, at a cycle.
    ///
    /// # Errors
    /// [`SimError::Io`].
    pub fn new(path: &Path, top: &str, core: &Core, cycle: u64) -> Result<Self, SimError> {
        let fail = |source| SimError::io(path)(source);
        let file = File::create(path).map_err(fail)?;
        let mut writer = Writer::new(BufWriter::new(file));
        let mut header = Header {
            writer: &mut writer,
            variables: Vec::new(),
            error: None,
        };
        let clock = header.begin(top).map_err(fail)?;
        visit_all(core, &mut header);
        let (variables, error) = (header.variables, header.error);
        match error {
            Some(error) => return Err(fail(error)),
            None => finish_header(&mut writer).map_err(fail)?,
        }
        Ok(Self {
            path: path.to_owned(),
            writer,
            variables,
            clock,
            time: 2 * cycle,
        })
    }

    /// Writes what has changed, with the clock at that level. To be called with the inputs of a
    /// cycle set and the clock low, and after the edge with the clock high.
    ///
    /// # Errors
    /// [`SimError::Io`].
    pub fn sample(&mut self, core: &Core, clock: bool) -> Result<(), SimError> {
        let mut changes = Changes {
            writer: &mut self.writer,
            variables: &mut self.variables,
            next: 0,
            error: None,
        };
        let start = changes.writer.timestamp(self.time);
        let start = start.and_then(|()| changes.writer.change_scalar(self.clock, clock));
        visit_all(core, &mut changes);
        let result = match changes.error {
            Some(error) => Err(error),
            None => start,
        };
        self.time += 1;
        result.map_err(SimError::io(&self.path))
    }

    /// Completes the file.
    ///
    /// # Errors
    /// [`SimError::Io`].
    pub fn finish(mut self) -> Result<(), SimError> {
        let end = self.writer.timestamp(self.time);
        end.and_then(|()| self.writer.writer().flush())
            .map_err(SimError::io(&self.path))
    }
}

fn visit_all(core: &Core, visitor: &mut dyn Visitor) {
    core.visit_ports(visitor);
    core.visit(visitor);
}

fn finish_header(writer: &mut Writer<BufWriter<File>>) -> io::Result<()> {
    writer.upscope()?;
    writer.enddefinitions()
}

/// Declares the variables.
struct Header<'a> {
    writer: &'a mut Writer<BufWriter<File>>,
    variables: Vec<Variable>,
    error: Option<io::Error>,
}

impl Header<'_> {
    /// Everything before the registers; gives the clock.
    fn begin(&mut self, top: &str) -> io::Result<IdCode> {
        self.writer.version("quaver cycle model")?;
        self.writer.timescale(1, TimescaleUnit::NS)?;
        self.writer.add_module(top)?;
        self.writer.add_wire(1, "clk_i")
    }

    fn keep<T>(&mut self, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }
}

impl Visitor for Header<'_> {
    fn enter(&mut self, scope: &'static str, index: Option<usize>) {
        let result = match index {
            Some(index) => self.writer.add_module(&format!("{scope}[{index}]")),
            None => self.writer.add_module(scope),
        };
        self.keep(result);
    }

    fn leave(&mut self) {
        let result = self.writer.upscope();
        self.keep(result);
    }

    fn register(&mut self, name: &str, width: u32, _: &[u32], real: Option<f64>) {
        let id = self.writer.add_var(VarType::Reg, width, name, None);
        let id = self.keep(id);
        let real = real.and_then(|_| {
            let name = format!("{name}{REAL_SUFFIX}");
            let real = self.writer.add_var(VarType::Real, 64, &name, None);
            self.keep(real)
        });
        if let Some(id) = id {
            self.variables.push(Variable {
                id,
                real,
                width,
                words: Vec::new(),
            });
        }
    }
}

/// Writes the variables that have changed.
struct Changes<'a> {
    writer: &'a mut Writer<BufWriter<File>>,
    variables: &'a mut [Variable],
    next: usize,
    error: Option<io::Error>,
}

impl Visitor for Changes<'_> {
    fn enter(&mut self, _: &'static str, _: Option<usize>) {}

    fn leave(&mut self) {}

    fn register(&mut self, _: &str, _: u32, words: &[u32], real: Option<f64>) {
        let variable = &mut self.variables[self.next];
        self.next += 1;
        if variable.words == words {
            return;
        }
        variable.words.clear();
        variable.words.extend(words);
        let bit = |i: u32| Value::from(words[i as usize / 32] >> (i % 32) & 1 != 0);
        let mut result = match variable.width {
            1 => self.writer.change_scalar(variable.id, bit(0)),
            width => self
                .writer
                .change_vector(variable.id, (0..width).rev().map(bit)),
        };
        if let (Some(id), Some(real)) = (variable.real, real) {
            // With an exponent: in full, the smallest numbers are longer than readers allow.
            result = result.and_then(|()| writeln!(self.writer.writer(), "r{real:e} {id}"));
        }
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }
}

impl Core {
    /// Tells the ports of the generated top, but for the clock and what the core ignores.
    pub(crate) fn visit_ports(&self, v: &mut dyn Visitor) {
        let shape = self.shape();
        let cols = shape.cols as u32;
        let codes = |count: usize| (8 * count * shape.lanes) as u32;
        let (i, bus) = (&self.inputs, self.s_axil());
        v.flag("rst_ni", i.rst_ni);
        v.bits("s_axil_awaddr", 12, i.s_axil.awaddr & 0xfff);
        v.flag("s_axil_awvalid", i.s_axil.awvalid);
        v.flag("s_axil_awready", bus.awready);
        v.bits("s_axil_wdata", 32, i.s_axil.wdata);
        v.bits("s_axil_wstrb", 4, i.s_axil.wstrb);
        v.flag("s_axil_wvalid", i.s_axil.wvalid);
        v.flag("s_axil_wready", bus.wready);
        v.bits("s_axil_bresp", 2, bus.bresp);
        v.flag("s_axil_bvalid", bus.bvalid);
        v.flag("s_axil_bready", i.s_axil.bready);
        v.bits("s_axil_araddr", 12, i.s_axil.araddr & 0xfff);
        v.flag("s_axil_arvalid", i.s_axil.arvalid);
        v.flag("s_axil_arready", bus.arready);
        v.bits("s_axil_rdata", 32, bus.rdata);
        v.bits("s_axil_rresp", 2, bus.rresp);
        v.flag("s_axil_rvalid", bus.rvalid);
        v.flag("s_axil_rready", i.s_axil.rready);
        let o = self.outputs();
        for (names, width, beat, ready) in [
            (A, codes(shape.rows), &i.s_axis_a, o.s_axis_a_tready),
            (B, codes(shape.cols), &i.s_axis_b, o.s_axis_b_tready),
            (C, 32 * cols, &i.s_axis_c, o.s_axis_c_tready),
            (P, 32 * cols, &i.s_axis_p, o.s_axis_p_tready),
        ] {
            v.register(names[0], width, &beat.tdata, None);
            if let (true, Some(blocks)) = (!beat.tuser.is_empty(), shape.block_scales) {
                let scales = if names == A { 1 } else { cols };
                let width = blocks.format.bits() * scales;
                v.register(names[3], width, &beat.tuser, None);
            }
            v.flag(names[1], beat.tvalid);
            v.flag(names[2], ready);
        }
        v.register("m_axis_d_tdata", 32 * cols, o.m_axis_d_tdata, None);
        let keep = (0..cols).map(|col| (if col < o.m_axis_d_cols { 0xf } else { 0 }, 4));
        v.packed("m_axis_d_tkeep", keep);
        v.flag("m_axis_d_tlast", o.m_axis_d_tlast);
        v.flag("m_axis_d_tvalid", o.m_axis_d_tvalid);
        v.flag("m_axis_d_tready", i.m_axis_d_tready);
        v.flag("irq_o", o.irq_o);
    }
}

const A: [&str; 4] = [
    "s_axis_a_tdata",
    "s_axis_a_tvalid",
    "s_axis_a_tready",
    "s_axis_a_tuser",
];
const B: [&str; 4] = [
    "s_axis_b_tdata",
    "s_axis_b_tvalid",
    "s_axis_b_tready",
    "s_axis_b_tuser",
];
const C: [&str; 4] = [
    "s_axis_c_tdata",
    "s_axis_c_tvalid",
    "s_axis_c_tready",
    "s_axis_c_tuser",
];
const P: [&str; 4] = [
    "s_axis_p_tdata",
    "s_axis_p_tvalid",
    "s_axis_p_tready",
    "s_axis_p_tuser",
];
