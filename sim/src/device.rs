//! The model behind the ports of its Verilog.

use std::path::Path;

use quaver_contract::CoreConfig;
use quaver_drive::{Device, DriveError, PortId};

use crate::trace::Vcd;
use crate::{AxiLiteOutputs, Beat, Core, Inputs, Outputs, SimError};

/// A core as a device. Its ports are the inputs, then the outputs of the generated top.
pub struct ModelDevice {
    core: Core,
    name: String,
    /// Widths of all ports.
    widths: Vec<u32>,
    /// Values of the outputs at the last clock edge.
    outputs: Vec<Vec<u32>>,
    /// No output is ever unknown.
    zeros: Vec<u32>,
    vcd: Option<Vcd>,
}

/// An input, its width if it is not that of a stream's data, and how it reaches the model.
type Input = (&'static str, Width, fn(&mut Inputs, &[u32]));

/// An output of at most 32 bits, and where it comes from.
type Output = (&'static str, u32, fn(&AxiLiteOutputs, &Outputs<'_>) -> u32);

/// The width of a port.
#[derive(Clone, Copy)]
enum Width {
    Bits(u32),
    /// A code for every product of a column.
    RowCodes,
    /// A code for every product of a row.
    ColumnCodes,
    /// That many bits for every column.
    Columns(u32),
    /// Scales of blocks, beside A or B.
    RowScale,
    ColumnScales,
}

use Width::{Bits, ColumnCodes, ColumnScales, Columns, RowCodes, RowScale};

const INPUTS: &[Input] = &[
    ("rst_ni", Bits(1), |i, w| i.rst_ni = w[0] != 0),
    ("s_axil_awaddr", Bits(12), |i, w| i.s_axil.awaddr = w[0]),
    ("s_axil_awprot", Bits(3), |_, _| {}),
    ("s_axil_awvalid", Bits(1), |i, w| {
        i.s_axil.awvalid = w[0] != 0
    }),
    ("s_axil_wdata", Bits(32), |i, w| i.s_axil.wdata = w[0]),
    ("s_axil_wstrb", Bits(4), |i, w| i.s_axil.wstrb = w[0]),
    ("s_axil_wvalid", Bits(1), |i, w| i.s_axil.wvalid = w[0] != 0),
    ("s_axil_bready", Bits(1), |i, w| i.s_axil.bready = w[0] != 0),
    ("s_axil_araddr", Bits(12), |i, w| i.s_axil.araddr = w[0]),
    ("s_axil_arprot", Bits(3), |_, _| {}),
    ("s_axil_arvalid", Bits(1), |i, w| {
        i.s_axil.arvalid = w[0] != 0
    }),
    ("s_axil_rready", Bits(1), |i, w| i.s_axil.rready = w[0] != 0),
    ("s_axis_a_tdata", RowCodes, |i, w| data(&mut i.s_axis_a, w)),
    ("s_axis_a_tvalid", Bits(1), |i, w| {
        i.s_axis_a.tvalid = w[0] != 0
    }),
    ("s_axis_b_tdata", ColumnCodes, |i, w| {
        data(&mut i.s_axis_b, w)
    }),
    ("s_axis_b_tvalid", Bits(1), |i, w| {
        i.s_axis_b.tvalid = w[0] != 0
    }),
    ("s_axis_c_tdata", Columns(32), |i, w| {
        data(&mut i.s_axis_c, w)
    }),
    ("s_axis_c_tvalid", Bits(1), |i, w| {
        i.s_axis_c.tvalid = w[0] != 0
    }),
    ("s_axis_p_tdata", Columns(32), |i, w| {
        data(&mut i.s_axis_p, w)
    }),
    ("s_axis_p_tvalid", Bits(1), |i, w| {
        i.s_axis_p.tvalid = w[0] != 0
    }),
    ("s_axis_a_tuser", RowScale, |i, w| {
        i.s_axis_a.tuser.copy_from_slice(w)
    }),
    ("s_axis_b_tuser", ColumnScales, |i, w| {
        i.s_axis_b.tuser.copy_from_slice(w)
    }),
    ("m_axis_d_tready", Bits(1), |i, w| {
        i.m_axis_d_tready = w[0] != 0
    }),
];

const OUTPUTS: &[Output] = &[
    ("s_axil_awready", 1, |b, _| b.awready.into()),
    ("s_axil_wready", 1, |b, _| b.wready.into()),
    ("s_axil_bresp", 2, |b, _| b.bresp),
    ("s_axil_bvalid", 1, |b, _| b.bvalid.into()),
    ("s_axil_arready", 1, |b, _| b.arready.into()),
    ("s_axil_rdata", 32, |b, _| b.rdata),
    ("s_axil_rresp", 2, |b, _| b.rresp),
    ("s_axil_rvalid", 1, |b, _| b.rvalid.into()),
    ("s_axis_a_tready", 1, |_, o| o.s_axis_a_tready.into()),
    ("s_axis_b_tready", 1, |_, o| o.s_axis_b_tready.into()),
    ("s_axis_c_tready", 1, |_, o| o.s_axis_c_tready.into()),
    ("s_axis_p_tready", 1, |_, o| o.s_axis_p_tready.into()),
    ("m_axis_d_tlast", 1, |_, o| o.m_axis_d_tlast.into()),
    ("m_axis_d_tvalid", 1, |_, o| o.m_axis_d_tvalid.into()),
    ("irq_o", 1, |_, o| o.irq_o.into()),
];

/// The outputs that are as wide as the array, after those of the table.
const WIDE: [(&str, u32); 2] = [("m_axis_d_tdata", 32), ("m_axis_d_tkeep", 4)];

fn data(beat: &mut Beat, words: &[u32]) {
    beat.tdata.copy_from_slice(words);
}

fn names() -> impl Iterator<Item = &'static str> {
    let inputs = INPUTS.iter().map(|&(name, ..)| name);
    let outputs = OUTPUTS.iter().map(|&(name, ..)| name);
    inputs.chain(outputs).chain(WIDE.map(|(name, _)| name))
}

impl ModelDevice {
    /// A core as it powers up.
    ///
    /// # Errors
    /// The errors of [`Core::new`].
    pub fn new(config: &CoreConfig) -> Result<Self, SimError> {
        let core = Core::new(config)?;
        let (rows, cols) = (config.rows as u32, config.cols as u32);
        let lanes = config.lanes() as u32;
        let scales = core.shape().user_bits();
        let inputs = INPUTS.iter().map(|&(_, width, _)| match width {
            Bits(bits) => bits,
            RowCodes => 8 * lanes * rows,
            ColumnCodes => 8 * lanes * cols,
            RowScale => scales[0],
            ColumnScales => scales[1],
            Columns(bits) => bits * cols,
        });
        let outputs = OUTPUTS.iter().map(|&(_, width, _)| width);
        let widths = inputs
            .chain(outputs)
            .chain(WIDE.map(|(_, bits)| bits * cols));
        let widths: Vec<u32> = widths.collect();
        let words = |&width: &u32| vec![0; width.div_ceil(32) as usize];
        let mut device = Self {
            outputs: widths[INPUTS.len()..].iter().map(words).collect(),
            zeros: vec![0; config.cols],
            vcd: None,
            name: config.name.clone(),
            widths,
            core,
        };
        device.sample();
        Ok(device)
    }

    /// Writes a waveform from here on, the next cycle being `cycle`.
    ///
    /// # Errors
    /// [`SimError::Io`].
    pub fn start_trace(&mut self, path: &Path, cycle: u64) -> Result<(), SimError> {
        let top = format!("quaver_{}", self.name);
        self.vcd = Some(Vcd::new(path, &top, &self.core, cycle)?);
        Ok(())
    }

    /// Completes the waveform; without one, does nothing.
    ///
    /// # Errors
    /// [`SimError::Io`].
    pub fn stop_trace(&mut self) -> Result<(), SimError> {
        self.vcd.take().map_or(Ok(()), Vcd::finish)
    }

    /// Adds what is now to the waveform.
    fn trace(&mut self, clock: bool) -> Result<(), DriveError> {
        let Some(vcd) = &mut self.vcd else {
            return Ok(());
        };
        let result = vcd.sample(&self.core, clock);
        result.map_err(|error| DriveError::Device(Box::new(error)))
    }

    /// The model.
    pub const fn core(&self) -> &Core {
        &self.core
    }

    /// Keeps what the receivers see at the coming edge.
    fn sample(&mut self) {
        let (bus, outputs) = (self.core.s_axil(), self.core.outputs());
        for (words, (_, _, value)) in self.outputs.iter_mut().zip(OUTPUTS) {
            words[0] = value(&bus, &outputs);
        }
        self.outputs[OUTPUTS.len()].copy_from_slice(outputs.m_axis_d_tdata);
        let keep = &mut self.outputs[OUTPUTS.len() + 1];
        for (i, word) in keep.iter_mut().enumerate() {
            let bits = (4 * outputs.m_axis_d_cols)
                .saturating_sub(32 * i as u32)
                .min(32);
            *word = ((1u64 << bits) - 1) as u32;
        }
    }
}

impl Device for ModelDevice {
    fn port(&self, name: &str) -> Result<PortId, DriveError> {
        // A core without scales of blocks has no ports for them.
        let position = names().position(|known| known == name);
        let position = position.filter(|&position| self.widths[position] > 0);
        position.map(PortId).ok_or_else(|| DriveError::UnknownPort {
            design: self.name.clone(),
            name: name.to_owned(),
            known: names().collect::<Vec<_>>().join(", "),
        })
    }

    fn width(&self, port: PortId) -> u32 {
        self.widths[port.0]
    }

    fn set(&mut self, port: PortId, words: &[u32]) {
        INPUTS[port.0].2(&mut self.core.inputs, words);
    }

    fn get(&self, port: PortId) -> &[u32] {
        &self.outputs[port.0 - INPUTS.len()]
    }

    fn unknown(&self, port: PortId) -> &[u32] {
        &self.zeros[..self.get(port).len()]
    }

    fn tick(&mut self) -> Result<(), DriveError> {
        self.sample();
        self.trace(false)?;
        self.core.clock();
        self.trace(true)
    }
}
