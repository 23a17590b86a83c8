//! The core's control and status registers: one map, from which the Verilog, the C header, the
//! documentation and the drivers come.

/// What a field is to the bus and to the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read-only; the value is fixed when the core is generated.
    Constant,
    /// Read-only; the core drives it.
    Status,
    /// Read and written by the bus; the core reads it.
    ReadWrite,
    /// Writing 1 makes a pulse of one clock; reads as 0.
    Pulse,
}

/// A field of a register.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Lower-case name; the Verilog port is `<register>_<field>_i` or `_o`.
    pub name: &'static str,
    /// Lowest bit.
    pub lsb: u32,
    /// Number of bits.
    pub width: u32,
    /// Kind.
    pub access: Access,
    /// Meaning, in a line.
    pub doc: &'static str,
}

/// A register of 32 bits.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// Upper-case name.
    pub name: &'static str,
    /// Byte offset.
    pub offset: u32,
    /// Its fields, ascending; bits in none read as 0.
    pub fields: &'static [Field],
    /// Meaning, in a line.
    pub doc: &'static str,
}

/// `ID.id`: "QUAV" in ASCII.
pub const ID: u32 = 0x5155_4156;

/// `VERSION.version`: changes when the map does.
pub const VERSION: u32 = 1;

const fn field(
    name: &'static str,
    lsb: u32,
    width: u32,
    access: Access,
    doc: &'static str,
) -> Field {
    Field {
        name,
        lsb,
        width,
        access,
        doc,
    }
}

const fn register(
    name: &'static str,
    offset: u32,
    doc: &'static str,
    fields: &'static [Field],
) -> Register {
    Register {
        name,
        offset,
        fields,
        doc,
    }
}

use Access::{Constant, Pulse, ReadWrite, Status};

/// The map, in ascending offsets.
pub const MAP: &[Register] = &[
    register(
        "ID",
        0x000,
        "identifies a Quaver core",
        &[field("id", 0, 32, Constant, "0x51554156, \"QUAV\"")],
    ),
    register(
        "VERSION",
        0x004,
        "version of this map",
        &[field("version", 0, 32, Constant, "1")],
    ),
    register(
        "SHAPE",
        0x008,
        "shape of the array",
        &[
            field("rows", 0, 8, Constant, "PEs along K"),
            field("cols", 8, 8, Constant, "PEs along N"),
            field("lanes", 16, 8, Constant, "products a PE adds at once"),
            field(
                "pe_latency",
                24,
                4,
                Constant,
                "clocks from a PE's partial-sum input to its output",
            ),
        ],
    ),
    register(
        "DEPTH",
        0x00c,
        "size of the partial-sum memory",
        &[field(
            "tile_rows",
            0,
            32,
            Constant,
            "rows of M that one bank holds",
        )],
    ),
    register(
        "CONTROL",
        0x010,
        "commands",
        &[
            field(
                "start",
                0,
                1,
                Pulse,
                "run the job that the registers below describe; ignored while busy",
            ),
            field(
                "abort",
                1,
                1,
                Pulse,
                "return everything but the CSRs to its reset state",
            ),
        ],
    ),
    register(
        "STATUS",
        0x014,
        "state of the core",
        &[
            field("busy", 0, 1, Status, "a job is running"),
            field(
                "done",
                1,
                1,
                Status,
                "the last job has ended; cleared by start and abort",
            ),
            field(
                "write_refused",
                2,
                1,
                Status,
                "a register was written while busy and kept its value; cleared by start and abort",
            ),
            field(
                "bad_job",
                3,
                1,
                Status,
                "the last start named a format, rounding or policy that the core does not have, or a K above the largest that it sums; cleared by start and abort",
            ),
        ],
    ),
    register(
        "M",
        0x020,
        "rows of A and of the result",
        &[field("m", 0, 32, ReadWrite, "0 to 2^32-1")],
    ),
    register(
        "N",
        0x024,
        "columns of B and of the result",
        &[field("n", 0, 32, ReadWrite, "0 to 2^32-1")],
    ),
    register(
        "K",
        0x028,
        "columns of A, rows of B",
        &[field("k", 0, 32, ReadWrite, "0 to 2^32-1")],
    ),
    register(
        "OPERANDS",
        0x02c,
        "operand formats",
        &[
            field("format_a", 0, 8, ReadWrite, "format number of A's codes"),
            field("format_b", 8, 8, ReadWrite, "format number of B's codes"),
        ],
    ),
    register(
        "OUTPUT",
        0x030,
        "output conversion",
        &[
            field(
                "format",
                0,
                8,
                ReadWrite,
                "format number of the result's codes",
            ),
            field(
                "rounding",
                8,
                3,
                ReadWrite,
                "0 rne, 1 rz, 2 ru, 3 rd, 4 rna",
            ),
            field("overflow", 12, 2, ReadWrite, "0 saturate, 1 inf, 2 nan"),
            field(
                "infinity",
                14,
                2,
                ReadWrite,
                "what an infinite result becomes: 0 saturate, 1 inf, 2 nan",
            ),
        ],
    ),
    register(
        "EPILOGUE",
        0x034,
        "what happens around the sum",
        &[
            field(
                "init",
                0,
                1,
                ReadWrite,
                "sums start from s_axis_c, not from +0",
            ),
            field("bias", 1, 1, ReadWrite, "biases come on s_axis_p"),
            field("relu", 2, 1, ReadWrite, "negative results become +0"),
            field(
                "scale_mode",
                4,
                2,
                ReadWrite,
                "0 none, 1 per tensor (SCALE), 2 per column (s_axis_p)",
            ),
        ],
    ),
    register(
        "SCALE",
        0x038,
        "scale of the whole result",
        &[field("scale", 0, 32, ReadWrite, "FP32 bits")],
    ),
    register(
        "CYCLES",
        0x040,
        "clocks in which the core was busy",
        &[field("cycles", 0, 32, Status, "modulo 2^32")],
    ),
    register(
        "ROWS",
        0x044,
        "rows launched into the array",
        &[field("rows", 0, 32, Status, "modulo 2^32")],
    ),
    register(
        "STALL_A",
        0x048,
        "clocks that waited for s_axis_a",
        &[field("stall_a", 0, 32, Status, "modulo 2^32")],
    ),
    register(
        "STALL_B",
        0x04c,
        "clocks that waited for s_axis_b",
        &[field("stall_b", 0, 32, Status, "modulo 2^32")],
    ),
    register(
        "STALL_C",
        0x050,
        "clocks that waited for s_axis_c",
        &[field("stall_c", 0, 32, Status, "modulo 2^32")],
    ),
    register(
        "STALL_P",
        0x054,
        "clocks that waited for s_axis_p",
        &[field("stall_p", 0, 32, Status, "modulo 2^32")],
    ),
    register(
        "STALL_D",
        0x058,
        "clocks in which a result on m_axis_d was not taken",
        &[field("stall_d", 0, 32, Status, "modulo 2^32")],
    ),
];

/// Byte offset of a register of the map.
///
/// # Panics
/// When the map has no such register: a mistake in the caller, found by the first run.
pub const fn offset(name: &str) -> u32 {
    let mut i = 0;
    while i < MAP.len() {
        if crate::formats::same(MAP[i].name, name) {
            return MAP[i].offset;
        }
        i += 1;
    }
    panic!("no such register in the CSR map")
}

// A map that overlaps or is out of order must not compile.
const _: () = {
    let mut i = 0;
    while i < MAP.len() {
        assert!(MAP[i].offset.is_multiple_of(4) && MAP[i].offset < 0x1000);
        assert!(i == 0 || MAP[i].offset > MAP[i - 1].offset);
        let fields = MAP[i].fields;
        let mut j = 0;
        let mut next = 0;
        while j < fields.len() {
            assert!(fields[j].lsb >= next && fields[j].width > 0);
            next = fields[j].lsb + fields[j].width;
            j += 1;
        }
        assert!(next <= 32);
        i += 1;
    }
};
