//! The register block in Verilog.

use quaver_contract::CoreConfig;
use quaver_contract::csr::{Access, Field, MAP, Register};

use super::{Constant, is_writable};
use crate::HdlError;
use crate::text::{Text, header};

/// Text of `quaver_csr.v`.
///
/// The bus is combinational: `reg_rdata_o` and `reg_error_o` answer in the clock of the request,
/// a write takes effect at its end, and a pulse is high during the write itself.
pub(crate) fn verilog(config: &CoreConfig) -> Result<String, HdlError> {
    let mut text = Text::new();
    text.push(&header("//", &config.name, ""));
    text.push(
        "// The control and status registers. quaver_csr.md says what they mean.\n\
         //\n\
         //   reg_write_i   write the bytes of reg_wdata_i that reg_wstrb_i selects; fields that\n\
         //                 are kept change at the end of the clock, pulses are high during it\n\
         //   reg_read_i    reg_rdata_o is the register's value in the same clock, else 0\n\
         //   reg_error_o   the request of this clock names no register, or writes one\n\
         //                 without a field that can be written\n\
         `default_nettype none\n\nmodule quaver_csr #(\n",
    );
    let parameters = parameters(config)?;
    for (i, (name, value)) in parameters.iter().enumerate() {
        let comma = if i + 1 == parameters.len() { "" } else { "," };
        text.line(format_args!(
            "    parameter integer {name:<10} = {value}{comma}"
        ));
    }
    text.push(") (\n");
    ports(&mut text);
    text.push(");\n");
    for register in MAP {
        text.line(format_args!(
            "    localparam [11:0] {:<15} = 12'h{:03x};",
            offset_name(register),
            register.offset
        ));
    }
    text.push(
        "\n    wire [31:0] write_mask = {\n        {8{reg_wstrb_i[3]}}, {8{reg_wstrb_i[2]}}, \
         {8{reg_wstrb_i[1]}}, {8{reg_wstrb_i[0]}}\n    };\n    \
         wire [31:0] write_data = reg_wdata_i & write_mask;\n",
    );
    for register in MAP {
        storage(&mut text, register);
    }
    answer(&mut text, config)?;
    text.push("endmodule\n\n`default_nettype wire\n");
    Ok(text.finish())
}

/// The name of a register's offset.
fn offset_name(register: &Register) -> String {
    format!("{}_OFFSET", register.name)
}

/// `<register>_<field>` in lower case.
fn signal(register: &Register, field: &Field) -> String {
    format!("{}_{}", register.name.to_lowercase(), field.name)
}

/// A range, empty for one bit.
fn range(high: u32, low: u32) -> String {
    if high == 0 && low == 0 {
        String::new()
    } else {
        format!("[{high}:{low}]")
    }
}

/// A field's bits of a 32-bit word; empty for all.
fn select(field: &Field) -> String {
    if field.width == 32 {
        String::new()
    } else if field.width == 1 {
        format!("[{}]", field.lsb)
    } else {
        range(field.lsb + field.width - 1, field.lsb)
    }
}

/// Names and values of the parameters: one for each constant that differs between cores.
fn parameters(config: &CoreConfig) -> Result<Vec<(String, u32)>, HdlError> {
    let mut parameters = Vec::new();
    for register in MAP {
        for field in register.fields {
            if field.access == Access::Constant
                && let Constant::Parameter(value) = Constant::of(config, register, field)?
            {
                parameters.push((field.name.to_uppercase(), value));
            }
        }
    }
    Ok(parameters)
}

fn ports(text: &mut Text) {
    text.push(
        "    input  wire        clk_i,\n    input  wire        rst_ni,\n\n    \
         input  wire        reg_write_i,\n    input  wire        reg_read_i,\n    \
         input  wire [11:0] reg_addr_i,\n    input  wire [31:0] reg_wdata_i,\n    \
         input  wire [3:0]  reg_wstrb_i,\n    output reg  [31:0] reg_rdata_o,\n    \
         output reg         reg_error_o",
    );
    let mut separator = ",\n\n";
    for register in MAP {
        for field in register.fields {
            let (direction, suffix) = match field.access {
                Access::Constant => continue,
                Access::Status => ("input ", "i"),
                Access::ReadWrite | Access::Pulse => ("output", "o"),
            };
            text.push(separator);
            separator = ",\n";
            let range = range(field.width - 1, 0);
            let signal = signal(register, field);
            text.write(format_args!(
                "    {direction} wire {range:<6} {signal}_{suffix}"
            ));
        }
    }
    text.push("\n");
}

/// The flip-flops and pulses of a register.
fn storage(text: &mut Text, register: &Register) {
    if !is_writable(register) {
        return;
    }
    let name = register.name.to_lowercase();
    text.line(format_args!("\n    // {}: {}", register.name, register.doc));
    text.line(format_args!(
        "    wire {name}_write = reg_write_i && reg_addr_i == {};",
        offset_name(register)
    ));
    let mut kept = Vec::new();
    for field in register.fields {
        let (signal, bits) = (signal(register, field), select(field));
        match field.access {
            Access::Constant | Access::Status => {}
            Access::Pulse => text.line(format_args!(
                "    assign {signal}_o = {name}_write ? write_data{bits} : {}'d0;",
                field.width
            )),
            Access::ReadWrite => {
                let range = range(field.width - 1, 0);
                text.line(format_args!("    reg  {range:<6} {signal}_q;"));
                text.line(format_args!(
                    "    wire {range:<6} {signal}_d = ({signal}_q & ~write_mask{bits}) | write_data{bits};"
                ));
                text.line(format_args!("    assign {signal}_o = {signal}_q;"));
                kept.push((field.width, signal));
            }
        }
    }
    if kept.is_empty() {
        return;
    }
    text.push("    always @(posedge clk_i) begin\n        if (!rst_ni) begin\n");
    for (width, signal) in &kept {
        text.line(format_args!("            {signal}_q <= {width}'d0;"));
    }
    text.line(format_args!("        end else if ({name}_write) begin"));
    for (_, signal) in &kept {
        text.line(format_args!("            {signal}_q <= {signal}_d;"));
    }
    text.push("        end\n    end\n");
}

/// What the bus reads, and which requests are refused.
fn answer(text: &mut Text, config: &CoreConfig) -> Result<(), HdlError> {
    text.push(
        "\n    reg [31:0] value;\n    reg        known;\n    reg        writable;\n    \
         always @* begin\n        value    = 32'd0;\n        known    = 1'b1;\n        \
         writable = 1'b0;\n        case (reg_addr_i)\n",
    );
    for register in MAP {
        text.line(format_args!("            {}: begin", offset_name(register)));
        for field in register.fields {
            let read = match field.access {
                Access::Pulse => continue,
                Access::Status => format!("{}_i", signal(register, field)),
                Access::ReadWrite => format!("{}_q", signal(register, field)),
                Access::Constant => match Constant::of(config, register, field)? {
                    Constant::Fixed(value) => format!("{}'h{value:x}", field.width),
                    Constant::Parameter(_) => {
                        let range = range(field.width - 1, 0);
                        format!("{}{range}", field.name.to_uppercase())
                    }
                },
            };
            let bits = select(field);
            text.line(format_args!("                value{bits} = {read};"));
        }
        if is_writable(register) {
            text.push("                writable = 1'b1;\n");
        }
        text.push("            end\n");
    }
    text.push(
        "            default: known = 1'b0;\n        endcase\n        \
         reg_rdata_o = reg_read_i ? value : 32'd0;\n        \
         reg_error_o = (reg_read_i && !known) || (reg_write_i && !writable);\n    end\n",
    );
    Ok(())
}
