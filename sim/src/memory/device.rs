//! The memory, clock by clock, between whoever drives a core and the model of the core.

use quaver_contract::CoreConfig;
use quaver_contract::config::Dataflow;
use quaver_drive::{Device, DriveError, PortId};

use super::{Memory, Plan};
use crate::device::ModelDevice;
use crate::timing::JobShape;
use crate::{Core, SimError};

/// Streams of the core that come from the memory.
const STREAMS: [&str; 4] = ["s_axis_a", "s_axis_b", "s_axis_c", "s_axis_p"];
const A: usize = 0;
const B: usize = 1;
const C: usize = 2;
const P: usize = 3;

/// Something to read.
#[derive(Clone, Copy, Debug)]
struct Unit {
    stream: usize,
    clocks: u64,
    /// Beats of the stream that have moved when its place in the buffer is free.
    after: u64,
}

/// Beats of a stream that come from the same unit.
#[derive(Clone, Copy, Debug)]
struct Beats {
    /// The beats of the stream up to the last of these.
    end: u64,
    /// The unit's place in the order of reading.
    unit: usize,
}

/// A core whose input streams come from a memory. For its driver it is a core whose streams stall.
pub struct MemoryDevice {
    model: ModelDevice,
    /// Valid and ready of each stream.
    handshakes: [[PortId; 2]; 4],
    latency: u64,
    units: Vec<Unit>,
    /// For each stream, in its order.
    beats: [Vec<Beats>; 4],
    /// Clocks since CONTROL.start was written; 0 while the core is idle.
    clock: u64,
    /// The next unit to be read, and the clock from which the channel can.
    next: usize,
    channel: u64,
    /// When each unit that was read is resident.
    resident: Vec<u64>,
    /// Beats that have moved on each stream, and the group that the next one belongs to.
    moved: [u64; 4],
    group: [usize; 4],
    /// What the driver offers, and whether the memory has it.
    offered: [bool; 4],
    present: [bool; 4],
    nothing: [u32; 1],
}

impl MemoryDevice {
    /// The core of a configuration, whose streams stall until [`MemoryDevice::begin`] says what they
    /// bring.
    ///
    /// # Errors
    /// The errors of [`ModelDevice::new`].
    pub fn new(config: &CoreConfig) -> Result<Self, SimError> {
        let model = ModelDevice::new(config)?;
        let port = |stream: &str, name: &str| {
            let port = model.port(&format!("{stream}_{name}"));
            port.expect("every core has the stream")
        };
        let handshakes = STREAMS.map(|stream| ["tvalid", "tready"].map(|name| port(stream, name)));
        Ok(Self {
            handshakes,
            model,
            latency: 0,
            units: Vec::new(),
            beats: Default::default(),
            clock: 0,
            next: 0,
            channel: 0,
            resident: Vec::new(),
            moved: [0; 4],
            group: [0; 4],
            offered: [false; 4],
            present: [false; 4],
            nothing: [0],
        })
    }

    /// The model.
    pub const fn core(&self) -> &Core {
        self.model.core()
    }

    /// The job that is started next.
    ///
    /// # Errors
    /// [`SimError::Buffer`] when a buffer does not hold two units.
    pub fn begin(
        &mut self,
        config: &CoreConfig,
        shape: &JobShape,
        memory: &Memory,
    ) -> Result<(), SimError> {
        self.latency = memory.latency.into();
        self.units.clear();
        self.beats = Default::default();
        self.clock = 0;
        self.next = 0;
        self.channel = 0;
        self.resident.clear();
        self.moved = [0; 4];
        self.group = [0; 4];
        if shape.m > 0 && shape.n > 0 {
            let plan = Plan::new(config, shape, memory)?;
            self.list(config, &plan);
        }
        Ok(())
    }

    /// Lists all units in the order of reading, and the beats of each.
    fn list(&mut self, config: &CoreConfig, plan: &Plan) {
        let [m_tiles, n_tiles, k_tiles] = plan.tiles;
        let places = plan.places;
        let lanes = config.lanes() as u64;
        // Ends of what was read into each buffer.
        let mut ends: [Vec<u64>; 4] = Default::default();
        let mut count = [0; 4];
        // Of what stays in a buffer, the places of its units.
        let mut kept_a = vec![0; (m_tiles * k_tiles) as usize];
        let mut kept_b = vec![0; k_tiles as usize];
        for n in 0..n_tiles {
            for m in 0..m_tiles {
                if m == 0 && plan.shape.parameters > 0 {
                    let unit = self.read(P, plan.clocks(plan.unit_p(n)), room(&ends[P], places[P]));
                    self.moves(P, &mut count, plan.shape.parameters, unit);
                    ends[P].push(count[P]);
                }
                let rows = plan.part(0, m);
                if plan.shape.init {
                    let unit =
                        self.read(C, plan.clocks(plan.unit_c(m, n)), room(&ends[C], places[C]));
                    self.moves(C, &mut count, rows, unit);
                    ends[C].push(count[C]);
                }
                if plan.shape.k == 0 {
                    continue;
                }
                for k in 0..k_tiles {
                    let steps = plan.part(2, k).div_ceil(lanes);
                    let kept = &mut kept_b[k as usize];
                    if !plan.b_once || m == 0 {
                        *kept =
                            self.read(B, plan.clocks(plan.unit_b(n, k)), room(&ends[B], places[B]));
                    }
                    let unit = *kept;
                    self.moves(B, &mut count, steps, unit);
                    if !plan.b_once || (m == m_tiles - 1 && k == k_tiles - 1) {
                        ends[B].push(count[B]);
                    }

                    let kept = &mut kept_a[(m * k_tiles + k) as usize];
                    if !plan.a_once || n == 0 {
                        let after = if plan.a_once {
                            0
                        } else {
                            room(&ends[A], places[A])
                        };
                        *kept = self.read(A, plan.clocks(plan.unit_a(m, k)), after);
                    }
                    let unit = *kept;
                    let beats = match config.dataflow {
                        Dataflow::WeightStationary => rows,
                        Dataflow::OutputStationary => steps * rows.div_ceil(config.rows as u64),
                    };
                    self.moves(A, &mut count, beats, unit);
                    ends[A].push(count[A]);
                }
            }
        }
    }

    /// Adds a unit; its place.
    fn read(&mut self, stream: usize, clocks: u64, after: u64) -> usize {
        self.units.push(Unit {
            stream,
            clocks,
            after,
        });
        self.units.len() - 1
    }

    /// The next beats of a stream come from that unit.
    fn moves(&mut self, stream: usize, count: &mut [u64; 4], beats: u64, unit: usize) {
        count[stream] += beats;
        self.beats[stream].push(Beats {
            end: count[stream],
            unit,
        });
    }

    /// Begins to read the next unit, if the channel and its place in the buffer are free.
    fn begin_read(&mut self) {
        let Some(unit) = self.units.get(self.next) else {
            return;
        };
        if self.clock >= self.channel && self.moved[unit.stream] >= unit.after {
            self.channel = self.clock + unit.clocks;
            self.resident.push(self.channel + self.latency);
            self.next += 1;
        }
    }

    /// Whether the stream's next beat is there.
    fn has_beat(&self, stream: usize) -> bool {
        let group = self.beats[stream].get(self.group[stream]);
        let resident = group.and_then(|group| self.resident.get(group.unit));
        resident.is_some_and(|&resident| resident <= self.clock)
    }

    fn stream_of(&self, port: PortId, end: usize) -> Option<usize> {
        self.handshakes.iter().position(|ports| ports[end] == port)
    }
}

/// The beats after which the place of a buffer is free that the next unit goes to.
fn room(ends: &[u64], places: usize) -> u64 {
    ends.len()
        .checked_sub(places)
        .map_or(0, |oldest| ends[oldest])
}

impl Device for MemoryDevice {
    fn port(&self, name: &str) -> Result<PortId, DriveError> {
        self.model.port(name)
    }

    fn width(&self, port: PortId) -> u32 {
        self.model.width(port)
    }

    fn set(&mut self, port: PortId, words: &[u32]) {
        match self.stream_of(port, 0) {
            Some(stream) => self.offered[stream] = words[0] != 0,
            None => self.model.set(port, words),
        }
    }

    fn get(&self, port: PortId) -> &[u32] {
        match self.stream_of(port, 1) {
            Some(stream) if !self.present[stream] => &self.nothing,
            _ => self.model.get(port),
        }
    }

    fn unknown(&self, port: PortId) -> &[u32] {
        self.model.unknown(port)
    }

    fn tick(&mut self) -> Result<(), DriveError> {
        if self.model.core().busy() {
            self.clock += 1;
            self.begin_read();
        }
        for stream in 0..STREAMS.len() {
            self.present[stream] = self.has_beat(stream);
            let valid = self.offered[stream] && self.present[stream];
            self.model
                .set(self.handshakes[stream][0], &[u32::from(valid)]);
        }
        self.model.tick()?;
        for stream in 0..STREAMS.len() {
            let ready = self.model.get(self.handshakes[stream][1])[0] != 0;
            if self.offered[stream] && self.present[stream] && ready {
                self.moved[stream] += 1;
                let group = self.beats[stream][self.group[stream]];
                self.group[stream] += usize::from(self.moved[stream] == group.end);
            }
        }
        Ok(())
    }
}
