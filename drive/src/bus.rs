//! An AXI4-Lite manager (Arm IHI 0022, part B): one access at a time, with real handshakes.

use crate::{Device, DriveError, PortId, Random};

/// What the core answers to an access (Arm IHI 0022, table A3-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// `OKAY`.
    Okay,
    /// `EXOKAY`, which AXI4-Lite does not have.
    ExclusiveOkay,
    /// `SLVERR`: refused by the core.
    SlaveError,
    /// `DECERR`: there is nothing at that address.
    DecodeError,
}

impl Response {
    const fn from_code(code: u32) -> Self {
        match code & 3 {
            0 => Self::Okay,
            1 => Self::ExclusiveOkay,
            2 => Self::SlaveError,
            _ => Self::DecodeError,
        }
    }

    /// Its name in the standard.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Okay => "OKAY",
            Self::ExclusiveOkay => "EXOKAY",
            Self::SlaveError => "SLVERR",
            Self::DecodeError => "DECERR",
        }
    }
}

/// An access of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read { offset: u32 },
    Write { offset: u32, value: u32 },
}

impl Access {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
        }
    }

    pub(crate) const fn offset(self) -> u32 {
        match self {
            Self::Read { offset } | Self::Write { offset, .. } => offset,
        }
    }
}

/// A channel that the manager drives: valid after a delay, held until ready.
#[derive(Clone, Copy, Debug)]
struct Request {
    delay: u32,
    done: bool,
}

impl Request {
    const DONE: Self = Self {
        delay: 0,
        done: true,
    };

    fn valid(self) -> bool {
        !self.done && self.delay == 0
    }

    /// One clock, at whose end the subordinate was ready or not.
    fn clocked(&mut self, ready: bool) {
        self.done |= self.valid() && ready;
        self.delay = self.delay.saturating_sub(1);
    }
}

/// An access under way.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    access: Access,
    address: Request,
    data: Request,
    /// Clocks until the response is taken.
    response_delay: u32,
}

struct Ports {
    awaddr: PortId,
    awvalid: PortId,
    awready: PortId,
    wdata: PortId,
    wstrb: PortId,
    wvalid: PortId,
    wready: PortId,
    bresp: PortId,
    bvalid: PortId,
    bready: PortId,
    araddr: PortId,
    arvalid: PortId,
    arready: PortId,
    rdata: PortId,
    rresp: PortId,
    rvalid: PortId,
    rready: PortId,
}

/// The manager of `s_axil`.
pub(crate) struct Bus {
    ports: Ports,
    /// Random delays on every channel; `None`: no delays.
    delays: Option<Random>,
    transfer: Option<Transfer>,
}

/// Longest random delay of a channel, in clocks.
const LONGEST_DELAY: u32 = 3;

impl Bus {
    pub(crate) fn new(device: &impl Device) -> Result<Self, DriveError> {
        let port = |name: &str| device.port(&format!("s_axil_{name}"));
        Ok(Self {
            ports: Ports {
                awaddr: port("awaddr")?,
                awvalid: port("awvalid")?,
                awready: port("awready")?,
                wdata: port("wdata")?,
                wstrb: port("wstrb")?,
                wvalid: port("wvalid")?,
                wready: port("wready")?,
                bresp: port("bresp")?,
                bvalid: port("bvalid")?,
                bready: port("bready")?,
                araddr: port("araddr")?,
                arvalid: port("arvalid")?,
                arready: port("arready")?,
                rdata: port("rdata")?,
                rresp: port("rresp")?,
                rvalid: port("rvalid")?,
                rready: port("rready")?,
            },
            delays: None,
            transfer: None,
        })
    }

    /// Delays every channel at random from now on, or none.
    pub(crate) fn set_delays(&mut self, delays: Option<Random>) {
        self.delays = delays;
    }

    /// Forgets the access under way.
    pub(crate) fn reset(&mut self) {
        self.transfer = None;
    }

    pub(crate) fn begin(&mut self, access: Access) {
        let mut delay = || match &mut self.delays {
            Some(random) => random.below(LONGEST_DELAY + 1),
            None => 0,
        };
        let mut request = || Request {
            delay: delay(),
            done: false,
        };
        let (address, data) = match access {
            Access::Read { .. } => (request(), Request::DONE),
            Access::Write { .. } => (request(), request()),
        };
        self.transfer = Some(Transfer {
            access,
            address,
            data,
            response_delay: delay(),
        });
    }

    /// Whether the core has taken everything of the access: it takes place in the next clock.
    pub(crate) fn is_taken(&self) -> bool {
        self.transfer.is_some_and(|t| t.address.done && t.data.done)
    }

    /// Drives the channels for the next clock.
    pub(crate) fn drive(&self, device: &mut impl Device) {
        let p = &self.ports;
        let mut valid = [false; 3];
        let mut ready = [false; 2];
        if let Some(transfer) = &self.transfer {
            let taken = transfer.response_delay == 0;
            match transfer.access {
                Access::Write { offset, value } => {
                    device.set(p.awaddr, &[offset]);
                    device.set(p.wdata, &[value]);
                    device.set(p.wstrb, &[0xf]);
                    valid = [transfer.address.valid(), transfer.data.valid(), false];
                    ready = [taken, false];
                }
                Access::Read { offset } => {
                    device.set(p.araddr, &[offset]);
                    valid = [false, false, transfer.address.valid()];
                    ready = [false, taken];
                }
            }
        }
        for (port, value) in [
            (p.awvalid, valid[0]),
            (p.wvalid, valid[1]),
            (p.arvalid, valid[2]),
            (p.bready, ready[0]),
            (p.rready, ready[1]),
        ] {
            device.set(port, &[u32::from(value)]);
        }
    }

    /// Looks at the channels after a clock; gives the response and the data when it has come.
    pub(crate) fn sample(&mut self, device: &impl Device) -> Option<(Response, u32)> {
        let p = &self.ports;
        let transfer = self.transfer.as_mut()?;
        let high = |port| device.get(port)[0] & 1 != 0;
        let (address_ready, response, valid) = match transfer.access {
            Access::Write { .. } => (p.awready, p.bresp, p.bvalid),
            Access::Read { .. } => (p.arready, p.rresp, p.rvalid),
        };
        let taken = transfer.response_delay == 0;
        transfer.response_delay = transfer.response_delay.saturating_sub(1);
        if taken && high(valid) {
            self.transfer = None;
            let response = Response::from_code(device.get(response)[0]);
            return Some((response, device.get(p.rdata)[0]));
        }
        transfer.address.clocked(high(address_ready));
        transfer.data.clocked(high(p.wready));
        None
    }
}
