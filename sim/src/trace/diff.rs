//! Two waveforms of the same core, compared by name and cycle.

use std::path::Path;

use super::recording::Recording;
use super::replay::{Divergence, digits};
use crate::SimError;

/// What two waveforms have in common, and where they part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveDiff {
    /// Variables of the same name and width in both.
    pub common: usize,
    /// Variables that only the first or only the second has, by name.
    pub only: [Vec<String>; 2],
    /// Cycles compared: those of the shorter one.
    pub cycles: u64,
    /// The first difference, with the first waveform as the recorded one.
    pub divergence: Option<Divergence>,
}

/// The clock of every core.
const CLOCK: &str = "clk_i";

/// Compares the variables that two waveforms of a core share, just before every clock edge; stops
/// at the first cycle with a difference.
///
/// # Errors
/// [`SimError::Io`] and [`SimError::Waveform`] for a file that is no waveform of a core.
pub fn wavediff(first: &Path, second: &Path) -> Result<WaveDiff, SimError> {
    let mut sides = [Recording::open(first)?, Recording::open(second)?];
    let clocks = [sides[0].find(CLOCK, 1)?, sides[1].find(CLOCK, 1)?];
    let mut names: Vec<(String, [usize; 2])> = Vec::new();
    let mut only: [Vec<String>; 2] = Default::default();
    for (name, width) in sides[0].variables() {
        match (sides[0].find(name, width), sides[1].find(name, width)) {
            // The clock is what cycles are.
            _ if name == CLOCK => {}
            (Ok(a), Ok(b)) => names.push((name.to_owned(), [a, b])),
            _ => only[0].push(name.to_owned()),
        }
    }
    for (name, width) in sides[1].variables() {
        if sides[0].find(name, width).is_err() {
            only[1].push(name.to_owned());
        }
    }
    names.sort();
    only.iter_mut().for_each(|names| names.sort());
    let mut diff = WaveDiff {
        common: names.len(),
        only,
        cycles: 0,
        divergence: None,
    };
    while sides[0].next_cycle(clocks[0])? && sides[1].next_cycle(clocks[1])? {
        let values = |slots: &[usize; 2]| [sides[0].value(slots[0]), sides[1].value(slots[1])];
        let differs = |(_, slots): &&(String, [usize; 2])| {
            let [a, b] = values(slots);
            a != b
        };
        let mut different = names.iter().filter(differs);
        if let Some((name, slots)) = different.next() {
            let [recorded, modelled] =
                values(slots).map(|value| value.map_or("X".to_owned(), digits));
            diff.divergence = Some(Divergence {
                cycle: diff.cycles,
                register: name.clone(),
                recorded,
                modelled,
                count: 1 + different.count(),
            });
            break;
        }
        diff.cycles += 1;
    }
    Ok(diff)
}
