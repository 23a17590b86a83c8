//! The C header for drivers.

use quaver_contract::CoreConfig;
use quaver_contract::csr::{Access, Field, MAP, Register};

use super::{Constant, choices, formats, identifier, mask};
use crate::HdlError;
use crate::text::{Text, header, one_line};

/// Text of `quaver_csr.h`: offsets, shifts, masks in place, values of constants, format numbers
/// and the choices of rounding and policy.
pub(crate) fn c_header(config: &CoreConfig) -> Result<String, HdlError> {
    let mut text = Text::new();
    text.push(&header("/*", &config.name, " */"));
    text.push("#ifndef QUAVER_CSR_H\n#define QUAVER_CSR_H\n");
    for register in MAP {
        text.line(format_args!(
            "\n/* {}: {} */",
            register.name,
            one_line(register.doc)
        ));
        define(
            &mut text,
            &format!("{}_OFFSET", register.name),
            hexadecimal(register.offset, 3),
        );
        for field in register.fields {
            field_lines(&mut text, config, register, field)?;
        }
    }
    text.push("\n/* Numbers of the formats that this core has. */\n");
    for (id, format) in formats(config)? {
        define(
            &mut text,
            &format!("FORMAT_{}", identifier(format.name)),
            u32::from(id),
        );
    }
    let mut last = "";
    for choice in choices() {
        if choice.field != last {
            text.line(format_args!(
                "\n/* Values of the field {}. */",
                choice.field
            ));
            last = choice.field;
        }
        let name = format!("{}_{}", choice.field, choice.name).to_uppercase();
        define(&mut text, &name, choice.number);
    }
    text.push("\n#endif /* QUAVER_CSR_H */\n");
    Ok(text.finish())
}

fn field_lines(
    text: &mut Text,
    config: &CoreConfig,
    register: &Register,
    field: &Field,
) -> Result<(), HdlError> {
    let name = format!("{}_{}", register.name, field.name.to_uppercase());
    text.line(format_args!(
        "/* {}: {} */",
        field.name,
        one_line(field.doc)
    ));
    define(text, &format!("{name}_SHIFT"), field.lsb);
    define(text, &format!("{name}_MASK"), hexadecimal(mask(field), 8));
    if field.access == Access::Constant {
        define(
            text,
            &format!("{name}_VALUE"),
            Constant::of(config, register, field)?.value(),
        );
    }
    Ok(())
}

fn define(text: &mut Text, name: &str, value: impl std::fmt::Display) {
    text.line(format_args!("#define QUAVER_{name:<28} {value}u"));
}

fn hexadecimal(value: u32, digits: usize) -> String {
    format!("0x{value:0digits$x}")
}
