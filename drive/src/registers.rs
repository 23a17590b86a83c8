//! Values of CSRs, put together from and taken apart into the fields of the map.

use quaver_contract::csr::{self, Field, Register};

/// The register of that name.
///
/// # Panics
/// When the map has none: a mistake of this crate.
fn register(name: &str) -> &'static Register {
    let found = csr::MAP.iter().find(|r| r.name == name);
    found.unwrap_or_else(|| panic!("the CSR map has no register {name}"))
}

fn field(register_name: &str, name: &str) -> &'static Field {
    let found = register(register_name)
        .fields
        .iter()
        .find(|f| f.name == name);
    found.unwrap_or_else(|| panic!("register {register_name} has no field {name}"))
}

/// Offset of a register.
pub(crate) fn offset(name: &str) -> u32 {
    register(name).offset
}

/// The name of the register at an offset, or the offset itself.
pub(crate) fn name_at(offset: u32) -> String {
    match csr::MAP.iter().find(|r| r.offset == offset) {
        Some(register) => register.name.to_owned(),
        None => format!("{offset:#05x}"),
    }
}

/// A register's value from its fields.
pub(crate) fn pack(register_name: &str, values: &[(&str, u32)]) -> u32 {
    values.iter().fold(0, |word, &(name, value)| {
        let field = field(register_name, name);
        debug_assert!(field.width == 32 || value >> field.width == 0);
        word | value << field.lsb
    })
}

/// A field of a register's value.
pub(crate) fn unpack(register_name: &str, field_name: &str, word: u32) -> u32 {
    let field = field(register_name, field_name);
    word >> field.lsb & (u32::MAX >> (32 - field.width))
}

/// All fields of a register's value, in words.
pub(crate) fn describe(register_name: &str, word: u32) -> String {
    let register = register(register_name);
    let fields = register.fields.iter().map(|f| {
        let value = unpack(register_name, f.name, word);
        match register.fields.len() {
            1 => format!("{register_name} = {value}"),
            _ => format!("{register_name}.{} = {value}", f.name),
        }
    });
    fields.collect::<Vec<_>>().join(", ")
}
