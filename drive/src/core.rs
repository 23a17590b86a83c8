//! A core behind its ports: the clock, the register bus and the reset.

use quaver_contract::CoreConfig;

use crate::bus::{Access, Bus};
use crate::streams::{StreamPorts, Streams};
use crate::{Device, DriveError, PortId, Response, registers};

/// Clocks of a reset.
const RESET_CLOCKS: usize = 4;

/// Clocks after which an access without an answer is given up: many times what the longest
/// sequence of handshakes takes.
const ACCESS_CLOCKS: u64 = 256;

/// A driven core.
pub(crate) struct Core<D> {
    pub(crate) device: D,
    pub(crate) bus: Bus,
    pub(crate) stream_ports: StreamPorts,
    reset: PortId,
    irq: PortId,
    cycle: u64,
}

impl<D: Device> Core<D> {
    /// Finds the ports, and resets the core.
    pub(crate) fn new(device: D, config: &CoreConfig) -> Result<Self, DriveError> {
        let mut core = Self {
            bus: Bus::new(&device)?,
            stream_ports: StreamPorts::new(&device, config)?,
            reset: device.port("rst_ni")?,
            irq: device.port("irq_o")?,
            cycle: 0,
            device,
        };
        core.reset()?;
        Ok(core)
    }

    /// Clocks so far.
    pub(crate) const fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Whether the core asked for attention in the last clock.
    pub(crate) fn irq(&self) -> bool {
        self.device.get(self.irq)[0] & 1 != 0
    }

    /// Puts the core, the bus and the streams into their reset state.
    pub(crate) fn reset(&mut self) -> Result<(), DriveError> {
        self.bus.reset();
        self.stream_ports.idle(&mut self.device);
        self.device.set(self.reset, &[0]);
        for _ in 0..RESET_CLOCKS {
            self.clock(None)?;
        }
        self.device.set(self.reset, &[1]);
        self.clock(None)?;
        Ok(())
    }

    /// Offers and takes no beats until streams are driven again.
    pub(crate) fn idle_streams(&mut self) {
        self.stream_ports.idle(&mut self.device);
    }

    /// One clock. Gives the answer to an access when it has come.
    pub(crate) fn clock(
        &mut self,
        streams: Option<&mut Streams<'_>>,
    ) -> Result<Option<(Response, u32)>, DriveError> {
        let device = &mut self.device;
        self.bus.drive(device);
        let cycle = self.cycle;
        match streams {
            Some(streams) => {
                streams.drive(device);
                device.tick()?;
                self.cycle += 1;
                streams.sample(device, cycle)?;
            }
            None => {
                device.tick()?;
                self.cycle += 1;
            }
        }
        Ok(self.bus.sample(device))
    }

    /// Begins an access and clocks until the core has taken all of it: the access takes place in
    /// the next clock.
    pub(crate) fn issue(
        &mut self,
        access: Access,
        mut streams: Option<&mut Streams<'_>>,
    ) -> Result<(), DriveError> {
        self.bus.begin(access);
        for _ in 0..ACCESS_CLOCKS {
            if let Some((response, _)) = self.clock(streams.as_deref_mut())? {
                return Err(DriveError::Protocol {
                    stream: "s_axil",
                    cycle: self.cycle - 1,
                    what: format!("{} before the {} was taken", response.name(), access.name()),
                });
            }
            if self.bus.is_taken() {
                return Ok(());
            }
        }
        Err(self.timeout(access))
    }

    /// Clocks until the answer to the access has come.
    pub(crate) fn complete(
        &mut self,
        access: Access,
        mut streams: Option<&mut Streams<'_>>,
    ) -> Result<(Response, u32), DriveError> {
        for _ in 0..ACCESS_CLOCKS {
            if let Some(answer) = self.clock(streams.as_deref_mut())? {
                return Ok(answer);
            }
        }
        Err(self.timeout(access))
    }

    /// A whole access.
    pub(crate) fn access(
        &mut self,
        access: Access,
        mut streams: Option<&mut Streams<'_>>,
    ) -> Result<(Response, u32), DriveError> {
        self.issue(access, streams.as_deref_mut())?;
        self.complete(access, streams)
    }

    /// Reads a register that must answer OKAY.
    pub(crate) fn read(
        &mut self,
        register: &str,
        streams: Option<&mut Streams<'_>>,
    ) -> Result<u32, DriveError> {
        let access = Access::Read {
            offset: registers::offset(register),
        };
        let (response, value) = self.access(access, streams)?;
        self.expect_okay(access, response)?;
        Ok(value)
    }

    /// Writes a register that must answer OKAY.
    pub(crate) fn write(&mut self, register: &str, value: u32) -> Result<(), DriveError> {
        let access = Access::Write {
            offset: registers::offset(register),
            value,
        };
        let (response, _) = self.access(access, None)?;
        self.expect_okay(access, response)
    }

    pub(crate) fn expect_okay(&self, access: Access, response: Response) -> Result<(), DriveError> {
        match response {
            Response::Okay => Ok(()),
            other => Err(DriveError::Bus {
                access: access.name(),
                register: registers::name_at(access.offset()),
                response: other.name().to_owned(),
                cycle: self.cycle - 1,
            }),
        }
    }

    fn timeout(&mut self, access: Access) -> DriveError {
        self.bus.reset();
        DriveError::BusTimeout {
            access: access.name(),
            offset: access.offset(),
            clocks: ACCESS_CLOCKS,
            cycle: self.cycle - 1,
        }
    }
}
