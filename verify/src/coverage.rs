//! Functional coverage: how often each named class of cases occurred.

use std::collections::BTreeMap;

/// Counts by class. Classes are declared before the run, so one that never occurs is seen.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    names: Vec<String>,
    counts: Vec<u64>,
}

/// A declared class: an index that costs nothing to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(usize);

impl Coverage {
    /// Declares a class; the name must be new.
    pub fn declare(&mut self, name: impl Into<String>) -> Class {
        let name = name.into();
        assert!(
            !self.names.contains(&name),
            "class {name} is declared twice"
        );
        self.names.push(name);
        self.counts.push(0);
        Class(self.names.len() - 1)
    }

    /// The class of that name, declared when it is new.
    pub fn class(&mut self, name: &str) -> Class {
        match self.names.iter().position(|known| known == name) {
            Some(index) => Class(index),
            None => self.declare(name),
        }
    }

    /// Counts a case.
    #[inline]
    pub fn count(&mut self, class: Class) {
        self.counts[class.0] += 1;
    }

    /// Counts several cases.
    pub fn add(&mut self, class: Class, cases: u64) {
        self.counts[class.0] += cases;
    }

    /// Names of the declared classes without a case.
    pub fn empty(&self) -> Vec<String> {
        let names = self.names.iter().zip(&self.counts);
        names
            .filter(|&(_, &count)| count == 0)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// All counts by name.
    pub fn into_counts(self) -> BTreeMap<String, u64> {
        self.names.into_iter().zip(self.counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Coverage;

    #[test]
    fn classes_without_cases_are_named() {
        let mut coverage = Coverage::default();
        let (a, _b) = (coverage.declare("a"), coverage.declare("b"));
        coverage.count(a);
        for name in ["c", "a"] {
            let class = coverage.class(name);
            coverage.count(class);
        }
        assert_eq!(coverage.empty(), ["b"]);
        let counts = coverage.into_counts();
        assert_eq!((counts["a"], counts["b"], counts["c"]), (2, 0, 1));
    }
}
