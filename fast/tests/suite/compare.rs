//! A job on the golden model and on fast engines of every kind.

use quaver_contract::{Engine, Job};
use quaver_fast::{Fast, Isa};
use quaver_golden::Golden;

/// Fast engines on each instruction set that the machine has.
pub(crate) struct Engines(Vec<(Isa, usize, Fast)>);

impl Engines {
    /// One for each instruction set and each number of threads.
    pub(crate) fn new(threads: impl IntoIterator<Item = usize> + Clone) -> Self {
        let available = Isa::ALL.iter().copied().filter(|isa| isa.is_available());
        let all = available.flat_map(|isa| {
            let engine = move |threads| (isa, threads, Fast::with_isa(isa, threads).unwrap());
            threads.clone().into_iter().map(engine)
        });
        Self(all.collect())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The first difference from the golden model in words; otherwise the number of elements.
    /// Takes the engines of that many threads alone, if a number is given.
    pub(crate) fn compare(&mut self, job: &Job<'_>, only: Option<usize>) -> Result<usize, String> {
        let golden = Golden.run(job).unwrap().values;
        let mut compared = 0;
        for (isa, threads, engine) in &mut self.0 {
            if only.is_some_and(|only| only != *threads) {
                continue;
            }
            let fast = engine.run(job).unwrap().values;
            if fast.dim() != golden.dim() {
                return Err(format!("{isa:?}: shape {:?}", fast.dim()));
            }
            let mut pairs = fast.indexed_iter().zip(&golden);
            if let Some(((index, fast), golden)) = pairs.find(|((_, fast), golden)| fast != golden)
            {
                return Err(format!(
                    "{isa:?}, {threads} threads, element {index:?}: fast {fast:08x}, golden {golden:08x}"
                ));
            }
            compared += golden.len();
        }
        Ok(compared)
    }
}

/// The number of elements that were compared.
///
/// # Panics
/// At the first difference.
pub(crate) fn compare(job: &Job<'_>, engines: &mut Engines, what: &str) -> usize {
    engines
        .compare(job, None)
        .unwrap_or_else(|difference| panic!("{what}: {difference}"))
}
