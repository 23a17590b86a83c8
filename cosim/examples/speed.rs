//! Clocks a second of a simulated core that runs jobs, with everything that the engine does in a
//! clock: `cargo run --release -p quaver-cosim --example speed -- [CONFIGURATION]...`

use std::time::Instant;

use ndarray::Array2;
use quaver_contract::{Accumulator, Conversion, CoreConfig, Engine as _, Formats, Job, Scale};
use quaver_cosim::{Cache, Random, RtlEngine, RtlOptions, Simulator, StallPattern};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let formats = Formats::default();
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names.push("default".to_owned());
    }
    for name in &names {
        let config = CoreConfig::load(name, &formats)?;
        let (m, n, k) = (config.tile_rows, 8 * config.cols, 16 * config.tile_k());
        let mut random = Random::new(1);
        let mut codes = |rows, cols| {
            // Below 0x70: finite in both OCP formats.
            let mut code = || (random.below(0x70) | random.below(2) << 7) as u8;
            Array2::from_shape_simple_fn((rows, cols), &mut code)
        };
        let (a, b) = (codes(m, k), codes(k, n));
        let job = Job {
            a: a.view(),
            b: b.view(),
            format_a: config.operand_formats[0],
            format_b: config.operand_formats[0],
            accumulator: Accumulator::Fp32,
            init: None,
            blocks: None,
            scale: Scale::None,
            bias: None,
            relu: false,
            output: Conversion::native(config.output_formats[0]),
        };
        for &simulator in Simulator::ALL {
            let start = Instant::now();
            let options = RtlOptions::new(simulator, Cache::from_environment()?);
            let mut engine = RtlEngine::new(&config, options)?;
            println!(
                "{name} on {}: built or found in {:.2} s",
                simulator.name(),
                start.elapsed().as_secs_f64()
            );
            for (what, stalls) in [
                ("no stalls", StallPattern::None),
                ("random stalls", StallPattern::random(1, 0.3)),
            ] {
                engine.set_stalls(stalls)?;
                let (start, first) = (Instant::now(), engine.cycle());
                while start.elapsed().as_secs() < 3 {
                    engine.run(&job)?;
                }
                let clocks = (engine.cycle() - first) as f64;
                let rate = clocks / start.elapsed().as_secs_f64();
                println!("  {what}: {:.1} k clocks/s", rate / 1e3);
            }
        }
    }
    Ok(())
}
