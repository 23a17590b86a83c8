//! Where the Verilog under test comes from.

use quaver_contract::CoreConfig;
use quaver_hdl::{Design, HdlError};

/// A source of designs: the generator, or something that stands in for it, such as a copy with a
/// deliberate mistake.
pub trait Designs: Send + Sync {
    /// A whole core.
    ///
    /// # Errors
    /// [`HdlError`] for a configuration that has no hardware.
    fn core(&self, config: &CoreConfig) -> Result<Design, HdlError>;

    /// A design around one unit.
    ///
    /// # Errors
    /// [`HdlError`] naming the unit or the parameter.
    fn unit(&self, name: &str, parameters: &[(&str, String)]) -> Result<Design, HdlError>;
}

/// The designs as they are generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Generated;

impl Designs for Generated {
    fn core(&self, config: &CoreConfig) -> Result<Design, HdlError> {
        quaver_hdl::generate(config)
    }

    fn unit(&self, name: &str, parameters: &[(&str, String)]) -> Result<Design, HdlError> {
        quaver_hdl::unit(name, parameters)
    }
}
