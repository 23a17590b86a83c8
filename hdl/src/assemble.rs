//! A whole core for a configuration.

use quaver_contract::CoreConfig;
use quaver_contract::config::Dataflow;

use crate::design::{Design, DesignFile};
use crate::header::Header;
use crate::units::Library;
use crate::{HdlError, csr, parameters, readme, scripts, text, wrapper};

/// The unit that the generated top is a wrapper of.
pub(crate) const fn core_unit(dataflow: Dataflow) -> &'static str {
    match dataflow {
        Dataflow::WeightStationary => "quaver_core",
        Dataflow::OutputStationary => "quaver_os_core",
    }
}

/// Ports of the core that are there for scales of blocks alone.
const BLOCK_SCALES: [&str; 2] = ["s_axis_a_tuser", "s_axis_b_tuser"];

/// The generated unit.
pub(crate) const CSR: &str = "quaver_csr";

/// Generates the core of a configuration.
///
/// # Errors
/// [`HdlError::Configuration`] for a configuration that has no hardware, naming its key.
pub fn generate(config: &CoreConfig) -> Result<Design, HdlError> {
    let mut library = Library::embedded();
    library.add(CSR, csr::verilog(config)?);
    let top = format!("quaver_{}", config.name);
    if library.mentions(&top) {
        return Err(HdlError::Configuration {
            config: config.name.clone(),
            key: "name",
            value: config.name.clone(),
            allowed: "names that make no module name of the units".to_owned(),
        });
    }
    let core = core_unit(config.dataflow);
    let source = library.source(core)?;
    let parameters = parameters::core_parameters(config)?;
    parameters::check_all_given(core, &Header::read(core, source)?, &parameters)?;
    let comment = format!(
        "{}// {}.\n",
        text::header("//", &config.name, ""),
        text::one_line(&config.description)
    );
    let unused: &[&str] = match config.block_scales {
        Some(_) => &[],
        None => &BLOCK_SCALES,
    };
    let (contents, ports) =
        wrapper::wrap(&top, &comment, (core, "core"), source, &parameters, unused)?;

    let mut files = library.files(core)?;
    files.push(DesignFile {
        path: format!("rtl/{top}.v"),
        contents,
    });
    let verilog: Vec<String> = files.iter().map(|f| f.path.clone()).collect();
    let verilog: Vec<&str> = verilog.iter().map(String::as_str).collect();
    let name = &config.name;
    for (path, contents) in [
        (format!("{name}.f"), scripts::file_list(name, &verilog)),
        ("quaver_csr.h".to_owned(), csr::c_header(config)?),
        ("quaver_csr.md".to_owned(), csr::markdown(config)?),
        (
            "synth.ys".to_owned(),
            scripts::yosys_generic(name, &top, &verilog),
        ),
        (
            "synth_ecp5.ys".to_owned(),
            scripts::yosys_ecp5(name, &top, &verilog),
        ),
        (format!("{top}.lpf"), scripts::lpf(name)),
        ("README.md".to_owned(), readme::readme(config, &top)),
    ] {
        files.push(DesignFile { path, contents });
    }
    Ok(Design {
        top,
        config_name: config.name.clone(),
        files,
        ports,
    })
}
