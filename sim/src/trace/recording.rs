//! A waveform of the RTL, read time by time.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use vcd::{Command, IdCode, Parser, Scope, ScopeItem, Value, VarType};

use crate::SimError;

/// The values of a VCD's variables at one time after another.
pub(crate) struct Recording {
    path: PathBuf,
    parser: Parser<BufReader<File>>,
    /// Of every variable below the core's top, by its path with dots: where it is in `values`, and
    /// how wide it is.
    variables: HashMap<String, (usize, u32)>,
    slots: HashMap<IdCode, usize>,
    /// Words of 32 bits, low bits first; `None`: a bit is X or Z.
    values: Vec<Option<Vec<u32>>>,
    ended: bool,
}

/// The core's instance in the generated top.
const CORE: &str = "u_core";

impl Recording {
    pub(crate) fn open(path: &Path) -> Result<Self, SimError> {
        let file = File::open(path).map_err(SimError::io(path))?;
        let mut parser = Parser::new(BufReader::with_capacity(1 << 20, file));
        let header = parser.parse_header().map_err(SimError::io(path))?;
        let Some(top) = find_top(&header.items) else {
            return Err(SimError::Waveform {
                path: path.to_owned(),
                reason: format!("no scope has an instance {CORE}"),
            });
        };
        let mut recording = Self {
            path: path.to_owned(),
            parser,
            variables: HashMap::new(),
            slots: HashMap::new(),
            values: Vec::new(),
            ended: false,
        };
        recording.collect("", top);
        Ok(recording)
    }

    fn collect(&mut self, prefix: &str, scope: &Scope) {
        for item in &scope.items {
            match item {
                // Reals repeat what bits say.
                ScopeItem::Var(var) if var.var_type == VarType::Real => {}
                ScopeItem::Var(var) => {
                    let slot = *self.slots.entry(var.code).or_insert_with(|| {
                        self.values.push(None);
                        self.values.len() - 1
                    });
                    let name = format!("{prefix}{}", var.reference);
                    self.variables.insert(name, (slot, var.size));
                }
                ScopeItem::Scope(inner) => {
                    self.collect(&format!("{prefix}{}.", inner.identifier), inner);
                }
                _ => {}
            }
        }
    }

    /// The place of a variable's value.
    pub(crate) fn find(&self, name: &str, width: u32) -> Result<usize, SimError> {
        let reason = match self.variables.get(name) {
            Some(&(slot, found)) if found == width => return Ok(slot),
            Some((_, found)) => format!("{name} is {found} bits wide, not {width}"),
            None => format!("{name} is missing"),
        };
        Err(SimError::Waveform {
            path: self.path.clone(),
            reason,
        })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// Paths and widths of all variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, u32)> {
        let variables = self.variables.iter();
        variables.map(|(name, &(_, width))| (name.as_str(), width))
    }

    /// Reads on to the next time at which a clock that was not low is low. False at the end.
    pub(crate) fn next_cycle(&mut self, clock: usize) -> Result<bool, SimError> {
        let mut was_low = self.value(clock) == Some(&[0]);
        while self.next()? {
            let low = self.value(clock) == Some(&[0]);
            if low && !was_low {
                return Ok(true);
            }
            was_low = low;
        }
        Ok(false)
    }

    /// The value at the time at hand; `None` while a bit of it is unknown.
    pub(crate) fn value(&self, slot: usize) -> Option<&[u32]> {
        self.values[slot].as_deref()
    }

    /// Reads all changes of the next time. False at the end.
    pub(crate) fn next(&mut self) -> Result<bool, SimError> {
        if self.ended {
            return Ok(false);
        }
        loop {
            let command = self.parser.next().transpose();
            match command.map_err(SimError::io(&self.path))? {
                Some(Command::ChangeScalar(id, value)) => self.change(id, 1, [value].into_iter()),
                Some(Command::ChangeVector(id, value)) => {
                    self.change(id, value.len(), value.iter())
                }
                Some(Command::Timestamp(_)) => return Ok(true),
                Some(_) => {}
                None => {
                    self.ended = true;
                    return Ok(true);
                }
            }
        }
    }

    /// Takes a value, high bit first; missing high bits are 0.
    fn change(&mut self, id: IdCode, count: usize, bits: impl Iterator<Item = Value>) {
        let Some(&slot) = self.slots.get(&id) else {
            return;
        };
        let mut words = self.values[slot].take().unwrap_or_default();
        words.clear();
        words.resize(count.div_ceil(32), 0);
        for (i, bit) in bits.enumerate() {
            let place = count - 1 - i;
            match bit {
                Value::V0 => {}
                Value::V1 => words[place / 32] |= 1 << (place % 32),
                Value::X | Value::Z => return,
            }
        }
        self.values[slot] = Some(words);
    }
}

fn find_top(items: &[ScopeItem]) -> Option<&Scope> {
    items.iter().find_map(|item| match item {
        ScopeItem::Scope(scope) => {
            let is_top = scope
                .items
                .iter()
                .any(|inner| matches!(inner, ScopeItem::Scope(core) if core.identifier == CORE));
            if is_top {
                Some(scope)
            } else {
                find_top(&scope.items)
            }
        }
        _ => None,
    })
}
