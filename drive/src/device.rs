//! What can be driven: something with the ports of a core, and a clock.

use crate::DriveError;

/// A port of a device: cheap to keep, meaningless in another device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortId(pub usize);

/// A core behind its ports. A port's value is a word of 32 bits for every started 32 bits, low bits
/// first.
pub trait Device: Send {
    /// The port of that name.
    ///
    /// # Errors
    /// [`DriveError::UnknownPort`] with the names that there are.
    fn port(&self, name: &str) -> Result<PortId, DriveError>;

    /// Width of a port in bits.
    fn width(&self, port: PortId) -> u32;

    /// Gives an input its next value.
    fn set(&mut self, port: PortId, words: &[u32]);

    /// The value of a port that every receiver saw at the last clock edge; X and Z read as 0.
    fn get(&self, port: PortId) -> &[u32];

    /// The bits of an output that are X or Z; as long as its value.
    fn unknown(&self, port: PortId) -> &[u32];

    /// One clock: applies the inputs, lets everything settle, keeps the outputs for
    /// [`Device::get`], and raises the clock.
    ///
    /// # Errors
    /// [`DriveError::Device`].
    fn tick(&mut self) -> Result<(), DriveError>;
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn port(&self, name: &str) -> Result<PortId, DriveError> {
        (**self).port(name)
    }

    fn width(&self, port: PortId) -> u32 {
        (**self).width(port)
    }

    fn set(&mut self, port: PortId, words: &[u32]) {
        (**self).set(port, words);
    }

    fn get(&self, port: PortId) -> &[u32] {
        (**self).get(port)
    }

    fn unknown(&self, port: PortId) -> &[u32] {
        (**self).unknown(port)
    }

    fn tick(&mut self) -> Result<(), DriveError> {
        (**self).tick()
    }
}
