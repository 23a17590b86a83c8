//! `quaver_axi_lite`: AXI4-Lite to a register bus.

use crate::trace::{Visitor, VisitorExt as _};

/// What drives the bus, but for the two resets and what the core ignores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the ports' names are the standard's (Arm IHI 0022, part B)"
)]
pub struct AxiLiteInputs {
    pub awaddr: u32,
    pub awvalid: bool,
    pub wdata: u32,
    pub wstrb: u32,
    pub wvalid: bool,
    pub bready: bool,
    pub araddr: u32,
    pub arvalid: bool,
    pub rready: bool,
}

/// What the bus is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the ports' names are the standard's (Arm IHI 0022, part B)"
)]
pub struct AxiLiteOutputs {
    pub awready: bool,
    pub wready: bool,
    pub bresp: u32,
    pub bvalid: bool,
    pub arready: bool,
    pub rdata: u32,
    pub rresp: u32,
    pub rvalid: bool,
}

/// A request on the register bus.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Request {
    pub(crate) write: bool,
    pub(crate) read: bool,
    pub(crate) addr: u32,
    pub(crate) wdata: u32,
    pub(crate) wstrb: u32,
}

const SLVERR: u32 = 2;

#[derive(Clone, Debug, Default)]
pub(crate) struct AxiLite {
    aw_valid_q: bool,
    w_valid_q: bool,
    ar_valid_q: bool,
    aw_word_q: u32,
    ar_word_q: u32,
    w_data_q: u32,
    w_strb_q: u32,
    b_valid_q: bool,
    r_valid_q: bool,
    b_resp_q: u32,
    r_resp_q: u32,
    r_data_q: u32,
}

impl AxiLite {
    pub(crate) fn outputs(&self) -> AxiLiteOutputs {
        AxiLiteOutputs {
            awready: !self.aw_valid_q,
            wready: !self.w_valid_q,
            bresp: self.b_resp_q,
            bvalid: self.b_valid_q,
            arready: !self.ar_valid_q,
            rdata: self.r_data_q,
            rresp: self.r_resp_q,
            rvalid: self.r_valid_q,
        }
    }

    /// A write goes before a read.
    pub(crate) fn request(&self, bus: &AxiLiteInputs) -> Request {
        let write = self.aw_valid_q && self.w_valid_q && (!self.b_valid_q || bus.bready);
        let read = self.ar_valid_q && !write && (!self.r_valid_q || bus.rready);
        let word = if write {
            self.aw_word_q
        } else {
            self.ar_word_q
        };
        Request {
            write,
            read,
            addr: word << 2,
            wdata: self.w_data_q,
            wstrb: self.w_strb_q,
        }
    }

    pub(crate) fn clock(
        &mut self,
        bus: &AxiLiteInputs,
        request: &Request,
        rdata: u32,
        error: bool,
    ) {
        let ready = self.outputs();
        let response = if error { SLVERR } else { 0 };
        if request.write {
            self.aw_valid_q = false;
            self.w_valid_q = false;
        }
        if bus.awvalid && ready.awready {
            self.aw_valid_q = true;
            self.aw_word_q = (bus.awaddr & 0xfff) >> 2;
        }
        if bus.wvalid && ready.wready {
            self.w_valid_q = true;
            self.w_data_q = bus.wdata;
            self.w_strb_q = bus.wstrb;
        }
        if request.read {
            self.ar_valid_q = false;
        }
        if bus.arvalid && ready.arready {
            self.ar_valid_q = true;
            self.ar_word_q = (bus.araddr & 0xfff) >> 2;
        }
        if request.write {
            self.b_valid_q = true;
            self.b_resp_q = response;
        } else if bus.bready {
            self.b_valid_q = false;
        }
        if request.read {
            self.r_valid_q = true;
            self.r_resp_q = response;
            self.r_data_q = rdata;
        } else if bus.rready {
            self.r_valid_q = false;
        }
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor) {
        v.flag("aw_valid_q", self.aw_valid_q);
        v.flag("w_valid_q", self.w_valid_q);
        v.flag("ar_valid_q", self.ar_valid_q);
        v.bits("aw_word_q", 10, self.aw_word_q);
        v.bits("ar_word_q", 10, self.ar_word_q);
        v.bits("w_data_q", 32, self.w_data_q);
        v.bits("w_strb_q", 4, self.w_strb_q);
        v.flag("b_valid_q", self.b_valid_q);
        v.flag("r_valid_q", self.r_valid_q);
        v.bits("b_resp_q", 2, self.b_resp_q);
        v.bits("r_resp_q", 2, self.r_resp_q);
        v.bits("r_data_q", 32, self.r_data_q);
    }
}
