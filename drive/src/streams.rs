//! The AXI4-Stream side of a job under way: four sources and the sink (Arm IHI 0051).

use ndarray::Array2;
use quaver_contract::{CoreBlocks, CoreConfig, Job};

use crate::beats::{Beats, Tiling};
use crate::stalls::Stall;
use crate::{Device, DriveError, PortId, Random, StallPattern};

/// Ports of an input stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourcePorts {
    data: PortId,
    /// Scales of blocks, on a core that takes them.
    user: Option<PortId>,
    valid: PortId,
    ready: PortId,
}

/// Ports of the result stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SinkPorts {
    data: PortId,
    keep: PortId,
    last: PortId,
    valid: PortId,
    ready: PortId,
}

/// Ports of all streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamPorts {
    a: SourcePorts,
    b: SourcePorts,
    c: SourcePorts,
    p: SourcePorts,
    d: SinkPorts,
}

impl StreamPorts {
    /// Finds the ports, and checks that they are as wide as the configuration says.
    pub(crate) fn new(device: &impl Device, config: &CoreConfig) -> Result<Self, DriveError> {
        let port = |name: &str, suffix: &str, expected: usize| {
            let name = format!("{name}_{suffix}");
            let port = device.port(&name)?;
            match device.width(port) as usize == expected {
                true => Ok(port),
                false => Err(DriveError::PortWidth {
                    name,
                    width: device.width(port),
                    expected: expected as u32,
                }),
            }
        };
        let scale_bits = |scales: usize| {
            let width = |b: CoreBlocks| scales * b.format.bits() as usize;
            config.block_scales.map(width)
        };
        let source = |name: &str, width: usize, user: Option<usize>| {
            Ok::<_, DriveError>(SourcePorts {
                data: port(name, "tdata", width)?,
                user: user.map(|width| port(name, "tuser", width)).transpose()?,
                valid: port(name, "tvalid", 1)?,
                ready: port(name, "tready", 1)?,
            })
        };
        let codes = 8 * config.lanes();
        Ok(Self {
            a: source("s_axis_a", config.rows * codes, scale_bits(1))?,
            b: source("s_axis_b", config.cols * codes, scale_bits(config.cols))?,
            c: source("s_axis_c", config.cols * 32, None)?,
            p: source("s_axis_p", config.cols * 32, None)?,
            d: SinkPorts {
                data: port("m_axis_d", "tdata", config.cols * 32)?,
                keep: port("m_axis_d", "tkeep", config.cols * 4)?,
                last: port("m_axis_d", "tlast", 1)?,
                valid: port("m_axis_d", "tvalid", 1)?,
                ready: port("m_axis_d", "tready", 1)?,
            },
        })
    }

    /// Offers and takes nothing.
    pub(crate) fn idle(&self, device: &mut impl Device) {
        for source in [self.a, self.b, self.c, self.p] {
            device.set(source.valid, &[0]);
        }
        device.set(self.d.ready, &[0]);
    }
}

/// A source of beats.
struct Source<'j> {
    name: &'static str,
    ports: SourcePorts,
    beats: Beats<'j>,
    stall: Stall,
    words: Vec<u32>,
    user: Vec<u32>,
    /// A beat is on the port.
    offered: bool,
    /// Nothing is offered and meaningless data stands on the port.
    idle: bool,
    sent: u64,
}

impl<'j> Source<'j> {
    fn new(
        name: &'static str,
        ports: SourcePorts,
        device: &impl Device,
        beats: Beats<'j>,
        stall: Stall,
    ) -> Self {
        let words = |port| device.width(port).div_ceil(32) as usize;
        Self {
            name,
            ports,
            beats,
            stall,
            words: vec![0; words(ports.data)],
            user: ports
                .user
                .map_or_else(Vec::new, |user| vec![0; words(user)]),
            offered: false,
            idle: false,
            sent: 0,
        }
    }

    fn drive(&mut self, device: &mut impl Device, random: &mut Random) {
        let stalled = self.stall.next();
        // An offered beat stays until it is taken (Arm IHI 0051, 2.2.1).
        if self.offered {
            return;
        }
        self.offered = !stalled && self.beats.next(&mut self.words, &mut self.user, random);
        if !self.offered {
            if self.idle {
                return;
            }
            random.fill(&mut self.words);
            random.fill(&mut self.user);
        }
        self.idle = !self.offered;
        device.set(self.ports.data, &self.words);
        if let Some(user) = self.ports.user {
            device.set(user, &self.user);
        }
        device.set(self.ports.valid, &[u32::from(self.offered)]);
    }

    /// Whether a beat was taken.
    fn sample(&mut self, device: &impl Device) -> bool {
        let taken = self.offered && device.get(self.ports.ready)[0] & 1 != 0;
        if taken {
            self.offered = false;
            self.sent += 1;
        }
        taken
    }

    fn is_complete(&mut self) -> bool {
        !self.offered && self.beats.is_empty()
    }

    fn state(&mut self) -> String {
        let now = match (self.offered, self.beats.is_empty()) {
            (true, _) => "one offered",
            (false, true) => "no more",
            (false, false) => "none offered",
        };
        format!("{} {} beats taken, {now}", self.name, self.sent)
    }
}

/// What the core drives on the result stream in one clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ResultBeat {
    data: Vec<u32>,
    keep: Vec<u32>,
    last: u32,
}

/// The streams of a job.
pub(crate) struct Streams<'j> {
    sources: [Source<'j>; 4],
    ports: SinkPorts,
    stall: Stall,
    ready: bool,
    /// A beat that the core offered and that was not taken: it must stay.
    held: Option<ResultBeat>,
    beat: ResultBeat,
    tiling: Tiling,
    cols: usize,
    code_mask: u32,
    random: Random,
    values: Array2<u32>,
    received: usize,
    /// The clock in which each result beat was taken.
    pub(crate) beat_cycles: Vec<u64>,
    /// Clocks since anything moved.
    pub(crate) idle: u64,
}

const SINK: &str = "m_axis_d";

impl<'j> Streams<'j> {
    pub(crate) fn new(
        job: &Job<'j>,
        config: &CoreConfig,
        ports: &StreamPorts,
        device: &impl Device,
        stalls: &StallPattern,
        seed: u64,
    ) -> Self {
        let tiling = Tiling::new(job, config);
        let stalls = stalls.begin();
        let source = |name, ports, beats, stall| Source::new(name, ports, device, beats, stall);
        Self {
            sources: [
                source("s_axis_a", ports.a, Beats::a(job, tiling), stalls.a),
                source("s_axis_b", ports.b, Beats::b(job, tiling), stalls.b),
                source("s_axis_c", ports.c, Beats::c(job, tiling), stalls.c),
                source("s_axis_p", ports.p, Beats::p(job, tiling), stalls.p),
            ],
            ports: ports.d,
            stall: stalls.d,
            ready: false,
            held: None,
            beat: ResultBeat::default(),
            tiling,
            cols: config.cols,
            code_mask: job.output.format.code_mask(),
            random: Random::stream(seed, 0),
            values: Array2::zeros((tiling.m, tiling.n)),
            received: 0,
            beat_cycles: Vec::with_capacity(tiling.d_count()),
            idle: 0,
        }
    }

    /// Drives all streams for the next clock.
    pub(crate) fn drive(&mut self, device: &mut impl Device) {
        for source in &mut self.sources {
            source.drive(device, &mut self.random);
        }
        self.ready = !self.stall.next();
        device.set(self.ports.ready, &[u32::from(self.ready)]);
    }

    /// Looks at all streams after that clock.
    pub(crate) fn sample(&mut self, device: &impl Device, cycle: u64) -> Result<(), DriveError> {
        let mut moved = false;
        for source in &mut self.sources {
            moved |= source.sample(device);
        }
        moved |= self.sample_result(device, cycle)?;
        self.idle = if moved { 0 } else { self.idle + 1 };
        Ok(())
    }

    /// Whether a result was taken.
    fn sample_result(&mut self, device: &impl Device, cycle: u64) -> Result<bool, DriveError> {
        let broken = |what: String| DriveError::Protocol {
            stream: SINK,
            cycle,
            what,
        };
        if device.unknown(self.ports.valid)[0] != 0 {
            return Err(broken("tvalid is X".to_owned()));
        }
        if device.get(self.ports.valid)[0] & 1 == 0 {
            return match self.held {
                None => Ok(false),
                Some(_) => Err(broken("tvalid fell before tready".to_owned())),
            };
        }
        self.beat.data.clear();
        self.beat.keep.clear();
        self.beat.data.extend(device.get(self.ports.data));
        self.beat.keep.extend(device.get(self.ports.keep));
        self.beat.last = device.get(self.ports.last)[0];
        if let Some(held) = &self.held
            && *held != self.beat
        {
            return Err(broken(format!(
                "changed from {held:x?} to {:x?} before tready",
                self.beat
            )));
        }
        if !self.ready {
            if self.held.is_none() {
                self.held = Some(self.beat.clone());
            }
            return Ok(false);
        }
        self.held = None;
        self.take(device, cycle)?;
        Ok(true)
    }

    /// Checks a result beat and keeps its values.
    fn take(&mut self, device: &impl Device, cycle: u64) -> Result<(), DriveError> {
        let (position, count) = (self.received, self.tiling.d_count());
        let broken = |what: String| {
            Err(DriveError::Protocol {
                stream: SINK,
                cycle,
                what: format!("result beat {position} of {count}: {what}"),
            })
        };
        if position >= count {
            return broken("one more than the job has".to_owned());
        }
        let (row, column) = (
            position % self.tiling.m,
            position / self.tiling.m * self.cols,
        );
        let valid = self.cols.min(self.tiling.n - column);
        for col in 0..self.cols {
            let keep = self.beat.keep[col / 8] >> (4 * (col % 8)) & 0xf;
            let expected = if col < valid { 0xf } else { 0 };
            if keep != expected {
                return broken(format!(
                    "tkeep of column {col} is {keep:#x}, expected {expected:#x}"
                ));
            }
        }
        let is_last = position + 1 == count;
        if (self.beat.last != 0) != is_last {
            return broken(format!(
                "tlast is {}, expected {}",
                self.beat.last,
                u32::from(is_last)
            ));
        }
        let unknown = device.unknown(self.ports.data);
        let columns = self.beat.data.iter().zip(unknown).take(valid);
        for (col, (&code, &unknown)) in columns.enumerate() {
            if unknown != 0 {
                return broken(format!("column {col} has X bits {unknown:#010x}"));
            }
            if code & !self.code_mask != 0 {
                return broken(format!(
                    "column {col} is {code:#010x}, with bits outside {:#010x}",
                    self.code_mask
                ));
            }
            self.values[(row, column + col)] = code;
        }
        self.received += 1;
        self.beat_cycles.push(cycle);
        Ok(())
    }

    /// Whether every beat has moved.
    pub(crate) fn is_complete(&mut self) -> bool {
        self.received == self.tiling.d_count() && self.sources.iter_mut().all(Source::is_complete)
    }

    /// Every stream in words.
    pub(crate) fn state(&mut self) -> String {
        let mut parts: Vec<String> = self.sources.iter_mut().map(Source::state).collect();
        let count = self.tiling.d_count();
        parts.push(format!("{SINK} {} of {count} beats", self.received));
        parts.join("; ")
    }

    pub(crate) fn tiling(&self) -> Tiling {
        self.tiling
    }

    pub(crate) fn into_values(self) -> Array2<u32> {
        self.values
    }
}
