//! `quaver_csr`: the registers of the contract's map.

use quaver_contract::CoreConfig;
use quaver_contract::csr::{Access, Field, ID, MAP, Register, VERSION, offset};

use crate::axi_lite::Request;
use crate::shape::mask;
use crate::trace::{Visitor, VisitorExt as _};

/// The fields that the core reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) m: u32,
    pub(crate) n: u32,
    pub(crate) k: u32,
    pub(crate) format_a: u32,
    pub(crate) format_b: u32,
    pub(crate) format_d: u32,
    pub(crate) rounding: u32,
    pub(crate) overflow: u32,
    pub(crate) infinity: u32,
    pub(crate) init: bool,
    pub(crate) bias: bool,
    pub(crate) relu: bool,
    pub(crate) scale_mode: u32,
    pub(crate) scale: u32,
}

/// Offset of `CONTROL`.
pub(crate) const CONTROL: u32 = offset("CONTROL");

/// What the register bus answers, and the pulses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rdata: u32,
    pub(crate) error: bool,
    pub(crate) start: bool,
    pub(crate) abort: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Csr {
    /// One word a register of the map: its `ReadWrite` fields.
    values: Vec<u32>,
    /// `SHAPE` and `DEPTH`.
    shape: u32,
    depth: u32,
    pub(crate) settings: Settings,
}

fn writable(field: &Field) -> bool {
    matches!(field.access, Access::ReadWrite)
}

/// Bits of a register's `ReadWrite` fields.
fn kept(register: &Register) -> u32 {
    let fields = register.fields.iter().filter(|f| writable(f));
    fields.fold(0, |bits, f| bits | mask(f.width) << f.lsb)
}

impl Csr {
    pub(crate) fn new(config: &CoreConfig) -> Self {
        let bytes = [config.rows, config.cols, config.lanes(), config.pe_latency];
        Self {
            values: vec![0; MAP.len()],
            // The fields are of 8 bits each, and the last of 4.
            shape: u32::from_le_bytes(bytes.map(|b| b as u8)),
            depth: config.tile_rows as u32,
            settings: Settings::default(),
        }
    }

    /// The answer to a request. `status` gives the fields that the core drives.
    pub(crate) fn answer(
        &self,
        request: &Request,
        write: bool,
        status: impl Fn(&str) -> u32,
    ) -> Answer {
        if !write && !request.read {
            return Answer::default();
        }
        let found = MAP.iter().position(|r| r.offset == request.addr);
        let Some(index) = found else {
            return Answer {
                error: true,
                ..Answer::default()
            };
        };
        let register = &MAP[index];
        if write {
            let takes = |f: &Field| matches!(f.access, Access::ReadWrite | Access::Pulse);
            let data = request.wdata & write_mask(request.wstrb);
            let pulse = |name| {
                let field = register.fields.iter().find(|f| f.name == name);
                register.offset == CONTROL && field.is_some_and(|f| data >> f.lsb & 1 != 0)
            };
            return Answer {
                rdata: 0,
                error: !register.fields.iter().any(takes),
                start: pulse("start"),
                abort: pulse("abort"),
            };
        }
        let rdata = match register.name {
            "ID" => ID,
            "VERSION" => VERSION,
            "SHAPE" => self.shape,
            "DEPTH" => self.depth,
            _ => register
                .fields
                .iter()
                .fold(self.values[index], |word, field| {
                    let driven = match field.access {
                        Access::Status => status(field.name) & mask(field.width),
                        Access::Constant | Access::ReadWrite | Access::Pulse => 0,
                    };
                    word | driven << field.lsb
                }),
        };
        Answer {
            rdata,
            ..Answer::default()
        }
    }

    /// Keeps what is written.
    pub(crate) fn write(&mut self, request: &Request) {
        let Some(index) = MAP.iter().position(|r| r.offset == request.addr) else {
            return;
        };
        let bits = write_mask(request.wstrb) & kept(&MAP[index]);
        self.values[index] = self.values[index] & !bits | request.wdata & bits;
        self.settle();
    }

    pub(crate) fn reset(&mut self) {
        self.values.fill(0);
        self.settle();
    }

    fn settle(&mut self) {
        let field = |register: &str, name: &str| {
            let index = MAP.iter().position(|r| r.name == register);
            let index = index.expect("a register of the map");
            let field = MAP[index].fields.iter().find(|f| f.name == name);
            let field = field.expect("a field of that register");
            self.values[index] >> field.lsb & mask(field.width)
        };
        self.settings = Settings {
            m: field("M", "m"),
            n: field("N", "n"),
            k: field("K", "k"),
            format_a: field("OPERANDS", "format_a"),
            format_b: field("OPERANDS", "format_b"),
            format_d: field("OUTPUT", "format"),
            rounding: field("OUTPUT", "rounding"),
            overflow: field("OUTPUT", "overflow"),
            infinity: field("OUTPUT", "infinity"),
            init: field("EPILOGUE", "init") != 0,
            bias: field("EPILOGUE", "bias") != 0,
            relu: field("EPILOGUE", "relu") != 0,
            scale_mode: field("EPILOGUE", "scale_mode"),
            scale: field("SCALE", "scale"),
        };
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor) {
        for (register, &value) in MAP.iter().zip(&self.values) {
            for field in register.fields.iter().filter(|f| writable(f)) {
                let name = format!("{}_{}_q", register.name.to_lowercase(), field.name);
                v.bits(&name, field.width, value >> field.lsb & mask(field.width));
            }
        }
    }
}

fn write_mask(strobes: u32) -> u32 {
    (0..4).fold(0, |bits, byte| {
        bits | ((strobes >> byte & 1) * 0xff) << (8 * byte)
    })
}
