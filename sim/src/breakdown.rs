//! What the launcher does with its clocks.

/// Clocks of a job by what the launcher did: it launched a row, or could not and why. Together
/// with the clocks before its first tile and after its last row they are the job's cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breakdown {
    /// A row was launched; of an output-stationary array, the operands of a slot.
    pub rows: u64,
    /// The tile's weights were not active yet.
    pub weights: u64,
    /// No bank was prepared for the m tile; or, output-stationary, it was being loaded, or the tile
    /// before unloaded.
    pub bank: u64,
    /// The row's partial sum was still in the array; or, output-stationary, it was the turn of a
    /// slot without a row.
    pub sums: u64,
    /// `s_axis_a` had no beat. Never without stalls.
    pub a: u64,
}

impl Breakdown {
    /// Sum of all parts.
    pub const fn clocks(&self) -> u64 {
        self.rows + self.weights + self.bank + self.sums + self.a
    }

    /// Adds another's parts `times` times.
    pub(crate) fn add(&mut self, other: &Self, times: u64) {
        self.rows += other.rows * times;
        self.weights += other.weights * times;
        self.bank += other.bank * times;
        self.sums += other.sums * times;
        self.a += other.a * times;
    }

    /// What has come since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            rows: self.rows - earlier.rows,
            weights: self.weights - earlier.weights,
            bank: self.bank - earlier.bank,
            sums: self.sums - earlier.sums,
            a: self.a - earlier.a,
        }
    }
}
