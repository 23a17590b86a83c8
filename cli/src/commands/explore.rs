//! `quaver explore`: layers on several cores behind a memory: time, traffic, energy, area, error.

use std::path::PathBuf;

use clap::Args;
use quaver_contract::config::Dataflow;
use quaver_contract::{Accumulator, CoreConfig, Format, Formats, accumulator};
use quaver_sim::memory::{Memory, memory_timing};
use quaver_sim::timing::{JobShape, timing};
use quaver_sim::{Shape, SimError};
use quaver_study::{Activity, Distribution, Energy, EnergyTable, Panel, Study};
use serde::Serialize;

use crate::args::Global;
use crate::commands::layers::{LAYERS, Layer};
use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
EXAMPLES:
  quaver explore --layer gemm:512,512,512
  quaver explore --layers resnet18.csv --config default --config os_4x4 --bandwidth 4
  quaver explore --layers resnet18.csv --bandwidth 25/2 --latency 100 --buffer-a 64K \\
    --buffer-b 64K --clock 200 --svg designs.svg
  quaver explore --layer conv:1,64,56,56,64,3,3,1,1 --energy mine.toml --json";

/// The most terms of a sum of which an accumulator's error is measured.
const MOST_TERMS: u64 = 4096;

/// Arguments of `quaver explore`.
#[derive(Debug, Args)]
#[command(after_help = format!("{DEFINITIONS}\n{LAYERS}\n{EXAMPLES}"))]
pub(crate) struct ExploreArgs {
    /// A core: a named configuration or a file of one; may be repeated [default: all named ones]
    #[arg(long, value_name = "NAME|FILE.toml")]
    config: Vec<String>,

    /// A layer, see below; may be repeated
    #[arg(long, value_name = "LAYER", required_unless_present = "layers")]
    layer: Vec<String>,

    /// The layers of a network, one a line
    #[arg(long, value_name = "FILE.csv")]
    layers: Option<PathBuf>,

    /// Bytes a clock that are read from the memory, and that are written to it: a number, or a
    /// fraction as 25/2
    #[arg(long, value_name = "BYTES", default_value = "16")]
    bandwidth: String,

    /// Clocks from the end of a transfer until its data may be used
    #[arg(long, value_name = "CLOCKS", default_value_t = 50)]
    latency: u32,

    /// Bytes of the buffer of A; K, M and G are 2^10, 2^20 and 2^30
    #[arg(long, value_name = "BYTES", default_value = "256K")]
    buffer_a: String,

    /// The same of B
    #[arg(long, value_name = "BYTES", default_value = "256K")]
    buffer_b: String,

    /// MHz
    #[arg(long, value_name = "MHZ", default_value_t = 100.0)]
    clock: f64,

    /// Energies of operations and bytes [default: Horowitz, ISSCC 2014, at 45 nm]
    #[arg(long, value_name = "FILE.toml")]
    energy: Option<PathBuf>,

    /// Draws the designs
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

const DEFINITIONS: &str = "\
The operands of each layer come from one memory, tile by tile, into a buffer each, and results go
back (docs/what-if.md). Cycles are exact: the closed form equals the model stepped behind such a memory.

COLUMNS:
  cycles     clocks of the core, all layers one after the other
  waiting    of these, clocks that the core would not take if every beat were there
  util %     multiply-adds over those that the array could have done
  ms         at --clock, until the results are written
  read, written   bytes from and to the memory
  MAC/byte   multiply-adds for each of these
  roof       MACs a clock that this and --bandwidth allow, at most all of the array's; and which of
             the two bounds it
  uJ         energy, by --energy: of products and sums, of memories on the chip, off the chip
  kLUT4      the array's PEs on a Lattice ECP5, as scripts/synth measured each accumulator
  error      distance from the exact sums relative to them (L2), of normal operands in e4m3fn
";

/// A core and what the layers cost on it.
#[derive(Clone, Debug, Default, Serialize)]
struct Design {
    config: String,
    dataflow: &'static str,
    accumulator: &'static str,
    /// MACs a clock of the whole array.
    peak_macs_per_cycle: u64,
    cycles: u64,
    waiting_cycles: u64,
    macs: u64,
    utilisation: f64,
    milliseconds: f64,
    bytes_read: Bytes,
    bytes_written: u64,
    macs_per_byte: f64,
    roof_macs_per_cycle: f64,
    bound: &'static str,
    energy: Energy,
    kilo_luts: Option<f64>,
    relative_error: Option<f64>,
}

/// Bytes read of each operand.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Bytes {
    a: u64,
    b: u64,
    c: u64,
    p: u64,
}

/// The object of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    layers: usize,
    bandwidth: f64,
    latency: u32,
    clock_mhz: f64,
    energy_source: &'a str,
    designs: &'a [Design],
}

/// What is the same for every design.
struct Surroundings<'a> {
    layers: &'a [Layer],
    bandwidth: [u32; 2],
    latency: u32,
    buffers: [u64; 2],
    clock: f64,
    table: EnergyTable,
    /// Relative error of each accumulator of the table.
    errors: Vec<f64>,
    /// LUT4s a MAC of each.
    areas: Vec<f64>,
}

/// Prices the layers on every core.
///
/// # Errors
/// [`CliError`] for bad input, a buffer that is too small, or a picture that cannot be written.
pub(crate) fn run(args: &ExploreArgs, global: &Global) -> Result<(), CliError> {
    let formats = global.formats()?;
    let configs = match args.config.as_slice() {
        [] => CoreConfig::named(&formats)?,
        names => names
            .iter()
            .map(|name| CoreConfig::load(name, &formats))
            .collect::<Result<_, _>>()?,
    };
    let mut layers = Vec::new();
    for text in &args.layer {
        layers.push(Layer::parse(text)?);
    }
    if let Some(path) = &args.layers {
        layers.extend(Layer::read(path)?);
    }
    let svg = args.svg.as_deref().map(Output::check).transpose()?;
    let surroundings = Surroundings::new(args, &layers, &formats)?;
    let designs = configs
        .iter()
        .map(|config| surroundings.design(config))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(svg) = svg {
        let picture = picture(&designs, &surroundings)?;
        svg.write(|file| file.write_all(picture.as_bytes()))?;
    }
    if args.json {
        let [bytes, clocks] = surroundings.bandwidth.map(f64::from);
        return console::print_json(&Report {
            layers: layers.len(),
            bandwidth: bytes / clocks,
            latency: args.latency,
            clock_mhz: args.clock,
            energy_source: &surroundings.table.source,
            designs: &designs,
        });
    }
    let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
    rows.extend(designs.iter().map(Design::cells));
    console::print(&format!(
        "{}\nenergy: {}\n",
        console::columns(&rows),
        surroundings.table.source
    ))
}

impl<'a> Surroundings<'a> {
    fn new(args: &ExploreArgs, layers: &'a [Layer], formats: &Formats) -> Result<Self, CliError> {
        if !(args.clock > 0.0 && args.clock <= 1e6) {
            let allowed = "above 0, at most 1000000 MHz";
            return Err(CliError::option("--clock", args.clock, allowed));
        }
        let table = match &args.energy {
            None => EnergyTable::standard(),
            Some(path) => EnergyTable::read(path),
        };
        let longest = layers.iter().map(|layer| layer.k).max().unwrap_or(1);
        let study = Study {
            m: 32,
            n: 32,
            k: longest.clamp(1, MOST_TERMS) as usize,
            format: formats.get("e4m3fn")?,
            distribution: Distribution::Normal,
            seed: 1,
            threads: 0,
        };
        let distances = quaver_study::accumulators(&study).map_err(CliError::other)?;
        let areas = quaver_study::areas().map_err(CliError::other)?;
        Ok(Self {
            layers,
            bandwidth: fraction(&args.bandwidth)?,
            latency: args.latency,
            buffers: [
                bytes("--buffer-a", &args.buffer_a)?,
                bytes("--buffer-b", &args.buffer_b)?,
            ],
            clock: args.clock,
            table: table.map_err(CliError::other)?,
            errors: distances.iter().map(|row| row.relative_l2).collect(),
            areas: areas.iter().map(|row| row.luts_a_mac).collect(),
        })
    }

    fn memory(&self, config: &CoreConfig) -> Memory {
        let bits = |format: &Format| format.bits();
        let operand = bits(config.operand_formats[0]);
        Memory {
            bandwidth: self.bandwidth,
            latency: self.latency,
            buffer_a: self.buffers[0],
            buffer_b: self.buffers[1],
            code_bits: [operand, operand, bits(config.output_formats[0])],
        }
    }

    fn design(&self, config: &CoreConfig) -> Result<Design, CliError> {
        let memory = self.memory(config);
        let mut design = Design {
            config: config.name.clone(),
            dataflow: config.dataflow.name(),
            accumulator: config.accumulator_name,
            peak_macs_per_cycle: (config.rows * config.cols * config.lanes()) as u64,
            ..Design::default()
        };
        let sum_bits = match config.accumulator {
            // Without the flags of infinities.
            Accumulator::Exact => Shape::new(config).map_err(CliError::other)?.psum_bits() - 2,
            _ => 32,
        };
        let (mut activity, mut finish) = (Activity::default(), 0);
        activity.sum_bits = sum_bits;
        for layer in self.layers {
            let shape = JobShape {
                m: layer.m,
                n: layer.n,
                k: layer.k,
                init: false,
                parameters: 0,
            };
            let plain = timing(config, &shape);
            let cost = memory_timing(config, &shape, &memory)
                .map_err(|error| small_buffer(error, config, layer))?;
            design.cycles += cost.cycles;
            design.waiting_cycles += cost.cycles - plain.cycles;
            design.macs += plain.terms;
            finish += cost.finish();
            let [a, b, c, p] = cost.read;
            let read = &mut design.bytes_read;
            (read.a, read.b, read.c, read.p) = (read.a + a, read.b + b, read.c + c, read.p + p);
            design.bytes_written += cost.written;
            // Every byte goes into a buffer; codes come out of it as often as they are streamed.
            let streamed = (plain.a.words * u64::from(memory.code_bits[0])
                + plain.b.words * u64::from(memory.code_bits[1]))
            .div_ceil(8);
            let filled = a + b + cost.written;
            // Partial sums are read and written at every launch, or once.
            let sums = match config.dataflow {
                Dataflow::WeightStationary => plain.launcher.rows * config.cols as u64,
                Dataflow::OutputStationary => shape.m * shape.n,
            };
            let word = u64::from(sum_bits).div_ceil(8);
            activity.buffer_bytes += streamed + filled + 2 * sums * word;
        }
        activity.macs = design.macs;
        let read = design.bytes_read;
        activity.memory_bytes = read.a + read.b + read.c + read.p + design.bytes_written;
        let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let [bytes, clocks] = self.bandwidth.map(f64::from);
        let peak = design.peak_macs_per_cycle as f64;
        design.utilisation = ratio(design.macs as f64, design.cycles as f64 * peak);
        design.milliseconds = finish as f64 / (self.clock * 1e3);
        design.macs_per_byte = ratio(design.macs as f64, activity.memory_bytes as f64);
        let memory_roof = design.macs_per_byte * bytes / clocks;
        design.roof_macs_per_cycle = memory_roof.min(peak);
        design.bound = if memory_roof < peak {
            "memory"
        } else {
            "compute"
        };
        design.energy = self.table.energy(&config.accumulator, &activity);
        let row = accumulator::TABLE
            .iter()
            .position(|row| row.accumulator == config.accumulator);
        design.kilo_luts = row.map(|row| self.areas[row] * peak / 1e3);
        design.relative_error = row.map(|row| self.errors[row]);
        Ok(design)
    }
}

const HEADER: [&str; 14] = [
    "config",
    "accumulator",
    "MAC/clock",
    "cycles",
    "waiting",
    "util %",
    "ms",
    "read",
    "written",
    "MAC/byte",
    "roof",
    "uJ",
    "kLUT4",
    "error",
];

impl Design {
    fn cells(&self) -> Vec<String> {
        let Bytes { a, b, c, p } = self.bytes_read;
        let known = |value: Option<f64>, text: fn(f64) -> String| {
            value.map_or_else(|| "-".to_owned(), text)
        };
        vec![
            self.config.clone(),
            self.accumulator.to_owned(),
            self.peak_macs_per_cycle.to_string(),
            self.cycles.to_string(),
            self.waiting_cycles.to_string(),
            format!("{:.1}", 100.0 * self.utilisation),
            format!("{:.3}", self.milliseconds),
            (a + b + c + p).to_string(),
            self.bytes_written.to_string(),
            format!("{:.1}", self.macs_per_byte),
            format!("{:.1} {}", self.roof_macs_per_cycle, self.bound),
            format!("{:.1}", self.energy.total_uj()),
            known(self.kilo_luts, |value| format!("{value:.1}")),
            known(self.relative_error, |value| format!("{value:.1e}")),
        ]
    }
}

fn picture(designs: &[Design], surroundings: &Surroundings<'_>) -> Result<String, CliError> {
    let panel = |title, value: fn(&Design) -> Option<f64>| Panel {
        title,
        values: designs.iter().map(value).collect(),
    };
    let panels = [
        panel("time, ms", |design| Some(design.milliseconds)),
        panel("bytes moved, MB", |design| {
            let Bytes { a, b, c, p } = design.bytes_read;
            Some((a + b + c + p + design.bytes_written) as f64 / 1e6)
        }),
        panel("energy, uJ", |design| Some(design.energy.total_uj())),
        panel("area, kLUT4", |design| design.kilo_luts),
        panel("relative error", |design| design.relative_error),
    ];
    let [bytes, clocks] = surroundings.bandwidth.map(f64::from);
    let title = format!(
        "{} layers, {} bytes a clock, {} MHz",
        surroundings.layers.len(),
        bytes / clocks,
        surroundings.clock
    );
    let names: Vec<String> = designs.iter().map(|design| design.config.clone()).collect();
    quaver_study::designs_svg(&title, &names, &panels).map_err(CliError::other)
}

/// What to do about a buffer that does not hold two units.
fn small_buffer(error: SimError, config: &CoreConfig, layer: &Layer) -> CliError {
    match error {
        SimError::Buffer {
            operand,
            bytes,
            least,
        } => {
            let option = if operand == 'a' {
                "--buffer-a"
            } else {
                "--buffer-b"
            };
            let found = format!(
                "{bytes} with configuration {}, layer {}",
                config.name, layer.name
            );
            CliError::option(
                option,
                found,
                format!("at least {least}: two of the units it holds"),
            )
        }
        other => CliError::other(other),
    }
}

/// Bytes a clock.
fn fraction(text: &str) -> Result<[u32; 2], CliError> {
    let (bytes, clocks) = text.split_once('/').unwrap_or((text, "1"));
    let number = |text: &str| {
        text.parse()
            .ok()
            .filter(|number| (1..=1 << 20).contains(number))
    };
    match (number(bytes), number(clocks)) {
        (Some(bytes), Some(clocks)) => Ok([bytes, clocks]),
        _ => Err(CliError::option(
            "--bandwidth",
            text,
            "BYTES or BYTES/CLOCKS, each 1 to 1048576",
        )),
    }
}

/// A number of bytes.
fn bytes(option: &'static str, text: &str) -> Result<u64, CliError> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number = digits
        .parse::<u64>()
        .ok()
        .filter(|&number| number <= 1 << 32);
    number.map(|number| number << shift).ok_or_else(|| {
        CliError::option(
            option,
            text,
            "0 to 4294967296, with K, M or G behind it if wanted",
        )
    })
}
