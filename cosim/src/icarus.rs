//! Icarus Verilog: the design and a testbench in `vvp`, a process that answers line by line.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};

use quaver_hdl::Design;

use crate::cache::{Cache, Key};
use crate::testbench::{self, Command, PATH_BYTES};
use crate::tool::Tool;
use crate::{Batch, CosimError, Signals, Simulation, Simulator, Step};

const SIMULATOR: &str = Simulator::Icarus.name();

const COMPILER: Tool = Tool {
    name: "iverilog",
    simulator: SIMULATOR,
};

const RUNNER: Tool = Tool {
    name: "vvp",
    simulator: SIMULATOR,
};

const COMPILER_FLAGS: &[&str] = &["-g2005", "-s", testbench::TOP];

const PROGRAM: &str = "simulation.vvp";

/// Bytes that may be under way in one direction: less than a pipe of Linux holds (64 KiB), so
/// that neither side waits for the other to read.
const IN_FLIGHT_BYTES: usize = 16 << 10;

/// A design in Icarus Verilog.
pub(crate) struct IcarusSimulation {
    signals: Signals,
    process: Child,
    /// `None` once the process has been told to end.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    line: String,
    time: u64,
    trace: Trace,
}

/// `$dumpvars` works once in a simulation, so there is one waveform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trace {
    NotAllowed,
    Possible,
    Running,
    Complete,
}

impl IcarusSimulation {
    pub(crate) fn open(design: &Design, cache: &Cache, trace: bool) -> Result<Self, CosimError> {
        let signals = Signals::new(design);
        let program = program(design, &signals, cache)?;
        let mut process = Process::new(RUNNER.name)
            .arg("-n")
            .arg(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| RUNNER.not_started(e))?;
        let requests = process.stdin.take();
        let answers = process.stdout.take().expect("it was asked for above");
        Ok(Self {
            signals,
            process,
            requests,
            answers: BufReader::new(answers),
            line: String::new(),
            time: 0,
            trace: match trace {
                true => Trace::Possible,
                false => Trace::NotAllowed,
            },
        })
    }

    fn send(&mut self, lines: &str) -> Result<(), CosimError> {
        let sent = match &mut self.requests {
            Some(requests) => requests
                .write_all(lines.as_bytes())
                .and_then(|()| requests.flush()),
            None => Ok(()),
        };
        sent.map_err(|_| self.stopped(String::new()))
    }

    /// Reads up to the next answer, and the outputs from it.
    fn receive(&mut self) -> Result<(), CosimError> {
        let mut said = String::new();
        loop {
            self.line.clear();
            match self.answers.read_line(&mut self.line) {
                Ok(0) | Err(_) => return Err(self.stopped(said)),
                Ok(_) => {}
            }
            match self.line.strip_prefix("= ") {
                Some(digits) => {
                    let parsed = parse(
                        digits.trim_end(),
                        &mut self.signals.outputs,
                        &mut self.signals.unknown,
                    );
                    return match parsed {
                        true => Ok(()),
                        false => Err(self.stopped(format!("unexpected answer '{}'", self.line))),
                    };
                }
                // Remarks of vvp's own, such as that it opened the waveform.
                None => said.push_str(&self.line),
            }
        }
    }

    /// Ends the process and collects its last words.
    fn stopped(&mut self, mut message: String) -> CosimError {
        self.end();
        if let Some(mut stderr) = self.process.stderr.take() {
            // What cannot be read is not shown; the error itself stands.
            let _ = stderr.read_to_string(&mut message);
        }
        if message.trim().is_empty() {
            message = "no message".to_owned();
        }
        CosimError::Stopped {
            simulator: SIMULATOR,
            cycle: self.time / 2,
            message: message.trim().to_owned(),
        }
    }

    fn end(&mut self) {
        self.requests = None;
        // Both fail only when the process has ended and been waited for already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn request(&mut self, step: Step) -> String {
        let mut line = String::new();
        push_request(&mut line, step, &self.signals.inputs);
        line
    }

    fn advance(&mut self, step: Step) -> Result<(), CosimError> {
        let request = self.request(step);
        self.send(&request)?;
        self.receive()?;
        self.advanced(step);
        Ok(())
    }

    fn advanced(&mut self, step: Step) {
        match step {
            Step::Eval => self.time += 1,
            Step::Tick => {
                self.time += 2;
                self.signals.raise_clock();
            }
        }
    }
}

/// The compiled design.
fn program(design: &Design, signals: &Signals, cache: &Cache) -> Result<PathBuf, CosimError> {
    let bench = testbench::source(signals);
    let mut key = Key::new(&format!("icarus-{}", design.top))
        .add(&COMPILER.version("-V")?)
        .add(&bench);
    for part in COMPILER_FLAGS {
        key = key.add(part);
    }
    for file in design.verilog() {
        key = key.add(&file.path).add(&file.contents);
    }
    cache.artefact(key, PROGRAM, |folder| {
        let sources = folder.join("sources");
        design.write_to(&sources)?;
        let bench_path = folder.join("testbench.v");
        fs::write(&bench_path, &bench).map_err(CosimError::io("write", &bench_path))?;
        let mut arguments: Vec<PathBuf> = COMPILER_FLAGS.iter().map(|&f| f.into()).collect();
        arguments.extend(["-o".into(), folder.join(PROGRAM), bench_path]);
        arguments.extend(design.verilog_paths().map(|path| sources.join(path)));
        COMPILER.run(arguments).map(|_| ())
    })
}

fn push_request(lines: &mut String, step: Step, inputs: &[u32]) {
    let command = match step {
        Step::Eval => Command::Eval,
        Step::Tick => Command::Tick,
    };
    write!(lines, "{:x} ", command as u8).expect("a string takes text");
    match inputs.is_empty() {
        true => lines.push('0'),
        false => push_digits(lines, inputs),
    }
    lines.push('\n');
}

/// The words as one hexadecimal number, the last word first.
fn push_digits(text: &mut String, words: &[u32]) {
    for word in words.iter().rev() {
        for shift in (0..8).rev() {
            let digit = (word >> (4 * shift)) & 0xf;
            text.push(char::from_digit(digit, 16).expect("below 16"));
        }
    }
}

/// Reads a number of exactly that many words; digits with X or Z become 0 and are marked.
fn parse(digits: &str, outputs: &mut [u32], unknown: &mut [u32]) -> bool {
    if outputs.is_empty() {
        return true;
    }
    if digits.len() != 8 * outputs.len() {
        return false;
    }
    let chunks = digits.as_bytes().chunks_exact(8).rev();
    for ((chunk, output), unknown) in chunks.zip(outputs).zip(unknown) {
        (*output, *unknown) = (0, 0);
        for &digit in chunk {
            let (value, mark) = match char::from(digit).to_digit(16) {
                Some(value) => (value, 0),
                None if b"xXzZ".contains(&digit) => (0, 0xf),
                None => return false,
            };
            *output = *output << 4 | value;
            *unknown = *unknown << 4 | mark;
        }
    }
    true
}

impl Simulation for IcarusSimulation {
    fn signals(&self) -> &Signals {
        &self.signals
    }

    fn signals_mut(&mut self) -> &mut Signals {
        &mut self.signals
    }

    fn eval(&mut self) -> Result<(), CosimError> {
        self.advance(Step::Eval)
    }

    fn tick(&mut self) -> Result<(), CosimError> {
        self.signals.clock()?;
        self.advance(Step::Tick)
    }

    fn batch(&mut self, batch: &Batch<'_>, results: &mut [u32]) -> Result<(), CosimError> {
        batch.validate(&self.signals, results)?;
        let digits = 8 * self.signals.inputs.len().max(self.signals.outputs.len());
        let rows_in_flight = (IN_FLIGHT_BYTES / (digits + 4)).max(1);
        let mut words = batch.words;
        let mut results = results.iter_mut();
        let mut left = batch.count;
        let mut lines = String::new();
        while left > 0 {
            let rows = left.min(rows_in_flight);
            left -= rows;
            lines.clear();
            for _ in 0..rows {
                for &port in batch.inputs {
                    let (row, rest) = words.split_at(self.signals.words(port));
                    self.signals.set(port, row);
                    words = rest;
                }
                push_request(&mut lines, batch.step, &self.signals.inputs);
            }
            self.send(&lines)?;
            for _ in 0..rows {
                self.receive()?;
                self.advanced(batch.step);
                for &port in batch.outputs {
                    for (word, result) in self.signals.get(port).iter().zip(results.by_ref()) {
                        *result = *word;
                    }
                }
            }
        }
        Ok(())
    }

    fn start_trace(&mut self, path: &Path) -> Result<(), CosimError> {
        let fail = |reason| {
            Err(CosimError::Trace {
                path: path.to_owned(),
                reason,
            })
        };
        match self.trace {
            Trace::Possible => {}
            Trace::NotAllowed => return fail("the simulation was opened without tracing"),
            Trace::Running => return fail("another one is being written"),
            Trace::Complete => return fail("icarus writes one waveform in a simulation"),
        }
        let bytes = path.as_os_str().as_encoded_bytes();
        if bytes.is_empty() || bytes.len() >= PATH_BYTES || bytes.contains(&0) {
            return fail("its name is empty, too long, or contains a zero byte");
        }
        // vvp ends without a word when it cannot write.
        fs::File::create(path).map_err(CosimError::io("make", path))?;
        let mut line = format!("{:x} ", Command::StartTrace as u8);
        for byte in bytes {
            write!(line, "{byte:02x}").expect("a string takes text");
        }
        line.push('\n');
        self.send(&line)?;
        self.receive()?;
        self.trace = Trace::Running;
        Ok(())
    }

    fn stop_trace(&mut self) -> Result<(), CosimError> {
        if self.trace == Trace::Running {
            self.trace = Trace::Complete;
            self.send(&format!("{:x}\n", Command::StopTrace as u8))?;
            self.receive()?;
        }
        Ok(())
    }

    fn time(&self) -> u64 {
        self.time
    }
}

impl Drop for IcarusSimulation {
    fn drop(&mut self) {
        // A waveform is whole only when vvp ends by itself, which it does at the end of its input.
        if self.trace == Trace::Running {
            self.requests = None;
            let _ = self.process.wait();
        }
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_vs_words() {
        let mut text = String::new();
        push_digits(&mut text, &[0x1234_5678, 0x9abc_def0]);
        assert_eq!(text, "9abcdef012345678");
        let (mut outputs, mut unknown) = ([7; 2], [7; 2]);
        assert!(parse("9abcdef01234567X", &mut outputs, &mut unknown));
        assert_eq!(outputs, [0x1234_5670, 0x9abc_def0]);
        assert_eq!(unknown, [0xf, 0]);
        for bad in ["", "12", "9abcdef01234567g", "9abcdef0123456789"] {
            assert!(!parse(bad, &mut outputs, &mut unknown), "{bad}");
        }
    }
}
