//! The documentation of the register block.

use quaver_contract::CoreConfig;
use quaver_contract::csr::{Access, Field, MAP, Register};

use super::{Constant, choices, formats};
use crate::HdlError;
use crate::text::{Text, header, one_line};

/// Text of `quaver_csr.md`.
pub(crate) fn markdown(config: &CoreConfig) -> Result<String, HdlError> {
    let mut text = Text::new();
    text.push(&header("<!--", &config.name, " -->"));
    text.line(format_args!(
        "# Control and status registers\n\n\
         Registers are 32 bits wide, at byte offsets of the AXI4-Lite port. All reset to 0 but \
         constants. Bits in no field read as 0 and ignore writes. Reading an unknown offset, \
         writing one, writing a register without a writable field, and writing any register but \
         CONTROL while the core is busy are answered with SLVERR and change nothing, but that the \
         last sets STATUS.write_refused.\n\n\
         `const` fields are fixed in the core and their value is given (configuration `{}`); `ro` \
         fields are driven by the core; `rw` fields are kept; `pulse` fields act when 1 is \
         written and read as 0.\n",
        config.name
    ));
    text.push("| offset | register | meaning |\n|---|---|---|\n");
    for register in MAP {
        let meaning = cell(register.doc);
        text.line(format_args!(
            "| 0x{:03x} | {} | {meaning} |",
            register.offset, register.name
        ));
    }
    for register in MAP {
        register_section(&mut text, config, register)?;
    }
    text.push(
        "\n## Format numbers\n\n| number | format | operand | output | source |\n|---|---|---|---|---|\n",
    );
    for (id, format) in formats(config)? {
        let among = |list: &[&'static quaver_contract::Format]| {
            if list.iter().any(|f| f.name == format.name) {
                "yes"
            } else {
                ""
            }
        };
        text.line(format_args!(
            "| {id} | {} | {} | {} | {} |",
            cell(format.name),
            among(&config.operand_formats),
            among(&config.output_formats),
            cell(format.source)
        ));
    }
    text.push("\n## Rounding and policies\n\n| field | number | name |\n|---|---|---|\n");
    for choice in choices() {
        text.line(format_args!(
            "| {} | {} | {} |",
            choice.field, choice.number, choice.name
        ));
    }
    Ok(text.finish())
}

fn register_section(
    text: &mut Text,
    config: &CoreConfig,
    register: &Register,
) -> Result<(), HdlError> {
    text.line(format_args!(
        "\n## {} (0x{:03x})\n\n{}\n\n| bits | field | access | meaning |\n|---|---|---|---|",
        register.name,
        register.offset,
        one_line(register.doc)
    ));
    for field in register.fields {
        let access = match field.access {
            Access::Status => "ro".to_owned(),
            Access::ReadWrite => "rw".to_owned(),
            Access::Pulse => "pulse".to_owned(),
            Access::Constant => match Constant::of(config, register, field)?.value() {
                value @ 0..=0xffff => format!("const {value}"),
                value => format!("const {value:#x}"),
            },
        };
        let (bits, doc) = (bits(field), cell(field.doc));
        text.line(format_args!(
            "| {bits} | {} | {access} | {doc} |",
            field.name
        ));
    }
    Ok(())
}

fn bits(field: &Field) -> String {
    match field.width {
        1 => field.lsb.to_string(),
        width => format!("{}:{}", field.lsb + width - 1, field.lsb),
    }
}

/// Free text as a cell of a table.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}
