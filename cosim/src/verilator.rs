//! Verilator: the design as C++, compiled with the shim to a shared library.

use std::ffi::CString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use quaver_hdl::Design;

use crate::cache::{Cache, Key};
use crate::library::{Model, Span, TraceStart};
use crate::tool::Tool;
use crate::{Batch, CosimError, PortId, Signals, Simulation, Simulator, Step, shim};

const SIMULATOR: &str = Simulator::Verilator.name();

const VERILATOR: Tool = Tool {
    name: "verilator",
    simulator: SIMULATOR,
};

const COMPILER: Tool = Tool {
    name: "g++",
    simulator: SIMULATOR,
};

/// Warnings are the business of the lint check, not of a simulation.
const VERILATOR_FLAGS: &[&str] = &[
    "--cc",
    "-O3",
    "--x-assign",
    "0",
    "--x-initial",
    "0",
    "--timescale",
    "1ns/1ns",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "--prefix",
    shim::MODEL,
];

/// Several models live in one process: their copies of the runtime must not see each other.
const COMPILER_FLAGS: &[&str] = &[
    "-std=gnu++17",
    "-c",
    "-w",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-gnu-unique",
    "-ffunction-sections",
    "-fdata-sections",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
];

/// Code that runs at every evaluation; the rest of a model runs once. Against -O2 a build takes a third less,
/// and a run up to a fifth more: most designs run for seconds, and take a minute to build.
const OPTIMISE_FAST: &str = "-O1";
const OPTIMISE_SLOW: &str = "-O0";

/// Designs are traced over few clocks, and the code that writes a trace is most of what there is to compile.
const OPTIMISE_TRACED: &str = "-O0";

const LINKER_FLAGS: &[&str] = &["-shared", "-Wl,--gc-sections", "-Wl,-Bsymbolic"];

/// The sources of Verilator's runtime that a model needs.
const RUNTIME: &[&str] = &["verilated", "verilated_threads", "verilated_vcd_c"];

const LIBRARY: &str = "simulation.so";
const RUNTIME_OBJECT: &str = "runtime.o";

/// The tools' versions, which are part of every key.
fn versions() -> Result<String, CosimError> {
    let verilator = VERILATOR.version("--version")?;
    let compiler = COMPILER.version("--version")?;
    Ok(format!("{verilator}\n{compiler}"))
}

fn include_folders() -> Result<[PathBuf; 2], CosimError> {
    let root = VERILATOR.run(["--getenv", "VERILATOR_ROOT"])?;
    let include = Path::new(root.trim()).join("include");
    let standard = include.join("vltstd");
    Ok([include, standard])
}

/// Compiles each `(source, object, level)`, two at a time.
fn compile(
    work: &[(PathBuf, PathBuf, &str)],
    includes: &[PathBuf],
    extra: &[&str],
) -> Result<(), CosimError> {
    let queue = Mutex::new(work.iter());
    let worker = || {
        loop {
            let next = queue.lock().expect("no worker panics").next();
            let Some((source, object, level)) = next else {
                return Ok(());
            };
            let mut arguments: Vec<String> = COMPILER_FLAGS.iter().map(|&f| f.into()).collect();
            arguments.extend(extra.iter().map(|&f| f.into()));
            arguments.push((*level).to_owned());
            for folder in includes {
                arguments.push(format!("-I{}", folder.display()));
            }
            arguments.extend(["-o".to_owned(), object.display().to_string()]);
            arguments.push(source.display().to_string());
            COMPILER.run(arguments)?;
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(worker);
        let this = worker();
        other.join().expect("no worker panics").and(this)
    })
}

/// Verilator's runtime as one object, compiled once for all designs.
fn runtime(cache: &Cache, versions: &str) -> Result<PathBuf, CosimError> {
    let mut key = Key::new("verilator-runtime").add(versions);
    for part in COMPILER_FLAGS.iter().chain(RUNTIME).chain(&[OPTIMISE_FAST]) {
        key = key.add(part);
    }
    cache.artefact(key, RUNTIME_OBJECT, |folder| {
        let includes = include_folders()?;
        let object = |name: &str| folder.join(format!("{name}.o"));
        let work = RUNTIME.iter().map(|name| {
            let source = includes[0].join(format!("{name}.cpp"));
            (source, object(name), OPTIMISE_FAST)
        });
        let work: Vec<_> = work.collect();
        compile(&work, &includes, &["-DVM_TRACE=1"])?;
        let mut arguments = vec!["-r".into(), "-o".into(), folder.join(RUNTIME_OBJECT)];
        arguments.extend(RUNTIME.iter().map(|name| object(name)));
        COMPILER.run(arguments).map(|_| ())
    })
}

/// How far the code that runs at every evaluation is optimised.
fn evaluation_level(trace: bool) -> &'static str {
    if trace {
        OPTIMISE_TRACED
    } else {
        OPTIMISE_FAST
    }
}

/// The design's shared library.
fn library(
    design: &Design,
    signals: &Signals,
    cache: &Cache,
    trace: bool,
) -> Result<PathBuf, CosimError> {
    let versions = versions()?;
    let shim = shim::source(signals);
    let mut key = Key::new(&format!("verilator-{}", design.top))
        .add(&versions)
        .add(&shim)
        .add(&design.top)
        .add(if trace { "--trace" } else { "" });
    let flags = [VERILATOR_FLAGS, COMPILER_FLAGS, LINKER_FLAGS, RUNTIME];
    for part in flags.into_iter().flatten() {
        key = key.add(part);
    }
    key = key.add(evaluation_level(trace)).add(OPTIMISE_SLOW);
    for file in design.verilog() {
        key = key.add(&file.path).add(&file.contents);
    }
    cache.artefact(key, LIBRARY, |folder| {
        let runtime = runtime(cache, &versions)?;
        build(design, &shim, &runtime, trace, folder)
    })
}

fn build(
    design: &Design,
    shim: &str,
    runtime: &Path,
    trace: bool,
    folder: &Path,
) -> Result<(), CosimError> {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(CosimError::io("write", &path))?;
        Ok::<_, CosimError>(path)
    };
    let sources = folder.join("sources");
    design.write_to(&sources)?;
    let model = folder.join("model");
    let mut arguments: Vec<String> = VERILATOR_FLAGS.iter().map(|&f| f.into()).collect();
    if trace {
        arguments.push("--trace".into());
    }
    arguments.extend(["--top-module".into(), design.top.clone()]);
    arguments.extend(["--Mdir".into(), model.display().to_string()]);
    for path in design.verilog_paths() {
        arguments.push(sources.join(path).display().to_string());
    }
    VERILATOR.run(arguments)?;

    // Each include of the runtime's headers costs most of a second, so all fast code is one
    // translation unit and all slow code another.
    let mut fast = String::from("#include \"../shim.cpp\"\n");
    let mut slow = String::new();
    let mut generated: Vec<String> = fs::read_dir(&model)
        .and_then(|entries| {
            let names = entries.map(|e| Ok(e?.file_name().to_string_lossy().into_owned()));
            names.collect()
        })
        .map_err(CosimError::io("list", &model))?;
    generated.retain(|name| name.ends_with(".cpp"));
    generated.sort();
    for name in &generated {
        let unit = match name.contains("__Slow") || name.contains("__Syms") {
            true => &mut slow,
            false => &mut fast,
        };
        writeln!(unit, "#include \"{name}\"").expect("a string takes text");
    }
    write("shim.cpp", shim)?;
    let [include, standard] = include_folders()?;
    let object = |name: &str| folder.join(name);
    let work = [
        (
            write("model/fast_unit.cpp", &fast)?,
            object("fast.o"),
            evaluation_level(trace),
        ),
        (
            write("model/slow_unit.cpp", &slow)?,
            object("slow.o"),
            OPTIMISE_SLOW,
        ),
    ];
    let tracing = if trace {
        "-DVM_TRACE=1"
    } else {
        "-DVM_TRACE=0"
    };
    compile(&work, &[model, include, standard], &[tracing])?;
    let mut arguments: Vec<PathBuf> = LINKER_FLAGS.iter().map(|&f| f.into()).collect();
    arguments.extend(["-o".into(), folder.join(LIBRARY)]);
    arguments.extend([object("fast.o"), object("slow.o"), runtime.to_owned()]);
    COMPILER.run(arguments).map(|_| ())
}

/// A design in Verilator.
pub(crate) struct VerilatorSimulation {
    signals: Signals,
    model: Model,
    tracing: bool,
}

impl VerilatorSimulation {
    pub(crate) fn open(design: &Design, cache: &Cache, trace: bool) -> Result<Self, CosimError> {
        let signals = Signals::new(design);
        let path = library(design, &signals, cache, trace)?;
        let model = Model::load(&path)?;
        if model.words() != (signals.inputs.len(), signals.outputs.len()) {
            return Err(CosimError::Library {
                path,
                message: "it was built for other ports".to_owned(),
            });
        }
        Ok(Self {
            signals,
            model,
            tracing: false,
        })
    }

    fn spans(&self, ports: &[PortId]) -> Vec<Span> {
        let span = |&port| {
            let slot = self.signals.slot(port);
            Span {
                start: slot.start as u32,
                words: slot.words as u32,
                top_mask: slot.top_mask,
            }
        };
        ports.iter().map(span).collect()
    }
}

impl Simulation for VerilatorSimulation {
    fn signals(&self) -> &Signals {
        &self.signals
    }

    fn signals_mut(&mut self) -> &mut Signals {
        &mut self.signals
    }

    fn eval(&mut self) -> Result<(), CosimError> {
        self.model
            .eval(&self.signals.inputs, &mut self.signals.outputs);
        Ok(())
    }

    fn tick(&mut self) -> Result<(), CosimError> {
        self.signals.clock()?;
        self.model
            .tick(&self.signals.inputs, &mut self.signals.outputs);
        self.signals.raise_clock();
        Ok(())
    }

    fn batch(&mut self, batch: &Batch<'_>, results: &mut [u32]) -> Result<(), CosimError> {
        batch.validate(&self.signals, results)?;
        let (inputs, outputs) = (self.spans(batch.inputs), self.spans(batch.outputs));
        self.model.many(
            batch.step == Step::Tick,
            batch.count,
            &mut self.signals.inputs,
            &mut self.signals.outputs,
            &inputs,
            batch.words,
            &outputs,
            results,
        );
        if batch.step == Step::Tick && batch.count > 0 {
            self.signals.raise_clock();
        }
        Ok(())
    }

    fn start_trace(&mut self, path: &Path) -> Result<(), CosimError> {
        let fail = |reason| CosimError::Trace {
            path: path.to_owned(),
            reason,
        };
        if self.tracing {
            return Err(fail("another one is being written"));
        }
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| fail("its name contains a zero byte"))?;
        match self.model.trace_open(&name) {
            TraceStart::Started => self.tracing = true,
            TraceStart::Unwritable => return Err(fail("the file cannot be made")),
            TraceStart::NotBuilt => return Err(fail("the simulation was opened without tracing")),
        }
        Ok(())
    }

    fn stop_trace(&mut self) -> Result<(), CosimError> {
        if std::mem::take(&mut self.tracing) {
            self.model.trace_close();
        }
        Ok(())
    }

    fn time(&self) -> u64 {
        self.model.time()
    }
}
