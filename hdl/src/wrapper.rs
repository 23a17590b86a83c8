//! Modules that fix another module's parameters and pass its ports through.

use std::fmt::Write as _;

use crate::HdlError;
use crate::design::{Direction, Port};
use crate::header::Header;

/// Text of the module `name`, an instance `u_{instance}` of `unit` with these parameter values; and its
/// ports.
/// Inputs that are `unused` are 0 and no ports of the module.
pub(crate) fn wrap(
    name: &str,
    comment: &str,
    (unit, instance): (&str, &str),
    source: &str,
    parameters: &[(&str, String)],
    unused: &[&str],
) -> Result<(String, Vec<Port>), HdlError> {
    let all = Header::read(unit, source)?.ports(parameters)?;
    let is_unused = |port: &Port| unused.contains(&port.name.as_str());
    let ports: Vec<Port> = all.iter().filter(|p| !is_unused(p)).cloned().collect();
    let mut text = format!("{comment}`default_nettype none\n\nmodule {name} (\n");
    let last = ports.len() - 1;
    for (i, port) in ports.iter().enumerate() {
        let direction = match port.direction {
            Direction::Input => "input ",
            Direction::Output => "output",
        };
        let range = match port.width {
            1 => String::new(),
            width => format!("[{}:0]", width - 1),
        };
        let comma = if i == last { "" } else { "," };
        line(
            &mut text,
            format_args!("    {direction} wire {range:<9} {}{comma}", port.name),
        );
    }
    text.push_str(");\n");
    if parameters.is_empty() {
        line(&mut text, format_args!("    {unit} u_{instance} ("));
    } else {
        line(&mut text, format_args!("    {unit} #("));
        for (i, (parameter, value)) in parameters.iter().enumerate() {
            let comma = if i + 1 == parameters.len() { "" } else { "," };
            line(
                &mut text,
                format_args!("        .{parameter:<12} ({value}){comma}"),
            );
        }
        line(&mut text, format_args!("    ) u_{instance} ("));
    }
    let last = all.len() - 1;
    for (i, port) in all.iter().enumerate() {
        let comma = if i == last { "" } else { "," };
        let driver = match is_unused(port) {
            true => format!("{}'d0", port.width),
            false => port.name.clone(),
        };
        line(
            &mut text,
            format_args!("        .{:<20} ({driver}){comma}", port.name),
        );
    }
    text.push_str("    );\nendmodule\n\n`default_nettype wire\n");
    Ok((text, ports))
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a string takes any text");
}
