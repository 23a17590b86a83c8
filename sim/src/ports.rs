//! The ports of the core, by the Verilog's names.

use crate::axi_lite::AxiLiteInputs;
use crate::shape::Shape;

/// What an input stream drives: words of 32 bits, low bits first.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "the ports' names are the standard's (Arm IHI 0051)"
)]
pub struct Beat {
    pub tdata: Vec<u32>,
    /// Scales of blocks; empty where the core takes none.
    pub tuser: Vec<u32>,
    pub tvalid: bool,
}

impl Beat {
    fn new(bytes: usize, user_bits: u32) -> Self {
        Self {
            tdata: vec![0; bytes.div_ceil(4)],
            tuser: vec![0; user_bits.div_ceil(32) as usize],
            tvalid: false,
        }
    }

    /// The codes of the beat, and zeros up to a whole word.
    pub(crate) fn codes(&self) -> impl Iterator<Item = u8> {
        self.tdata.iter().flat_map(|word| word.to_le_bytes())
    }
}

/// The inputs of the core but for the clock.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of the Verilog's ports")]
pub struct Inputs {
    pub rst_ni: bool,
    pub s_axil: AxiLiteInputs,
    pub s_axis_a: Beat,
    pub s_axis_b: Beat,
    pub s_axis_c: Beat,
    pub s_axis_p: Beat,
    pub m_axis_d_tready: bool,
}

impl Inputs {
    /// Every input at 0: the core is in reset.
    pub(crate) fn new(shape: &Shape) -> Self {
        let [user_a, user_b] = shape.user_bits();
        Self {
            rst_ni: false,
            s_axil: AxiLiteInputs::default(),
            s_axis_a: Beat::new(shape.rows * shape.lanes, user_a),
            s_axis_b: Beat::new(shape.cols * shape.lanes, user_b),
            s_axis_c: Beat::new(4 * shape.cols, 0),
            s_axis_p: Beat::new(4 * shape.cols, 0),
            m_axis_d_tready: false,
        }
    }
}

/// The outputs of the core but for the register bus. All of them follow from registers alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the Verilog's ports")]
pub struct Outputs<'a> {
    pub s_axis_a_tready: bool,
    pub s_axis_b_tready: bool,
    pub s_axis_c_tready: bool,
    pub s_axis_p_tready: bool,
    pub m_axis_d_tdata: &'a [u32],
    /// Columns whose `m_axis_d_tkeep` is set.
    pub m_axis_d_cols: u32,
    pub m_axis_d_tlast: bool,
    pub m_axis_d_tvalid: bool,
    pub irq_o: bool,
}
