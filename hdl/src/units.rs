//! The Verilog units by name, and which of them a unit needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::lex::{Kind, tokens};
use crate::{DesignFile, HdlError};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Modules by name: the units of `hdl/rtl/`, and what is generated beside them.
pub(crate) struct Library {
    sources: BTreeMap<String, String>,
}

impl Library {
    /// The units of `hdl/rtl/`.
    pub(crate) fn embedded() -> Self {
        let own = |(name, source): &(&str, &str)| ((*name).to_owned(), (*source).to_owned());
        Self {
            sources: EMBEDDED.iter().map(own).collect(),
        }
    }

    /// Adds a generated module.
    pub(crate) fn add(&mut self, name: &str, source: String) {
        self.sources.insert(name.to_owned(), source);
    }

    /// The source of a module.
    pub(crate) fn source(&self, name: &str) -> Result<&str, HdlError> {
        match self.sources.get(name) {
            Some(source) => Ok(source),
            None => Err(HdlError::UnknownUnit {
                name: name.to_owned(),
                known: self.names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// All names, ascending.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// Whether any source uses the word.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        self.sources
            .values()
            .any(|source| tokens(source).iter().any(|t| t.text == word))
    }

    /// Files of the module and of everything that it instantiates, at any depth; a module comes
    /// after those it instantiates.
    pub(crate) fn files(&self, top: &str) -> Result<Vec<DesignFile>, HdlError> {
        let mut order = Vec::new();
        self.visit(top, &mut BTreeSet::new(), &mut order)?;
        order
            .into_iter()
            .map(|name| {
                Ok(DesignFile {
                    path: format!("rtl/{name}.v"),
                    contents: self.source(&name)?.to_owned(),
                })
            })
            .collect()
    }

    fn visit(
        &self,
        name: &str,
        seen: &mut BTreeSet<String>,
        order: &mut Vec<String>,
    ) -> Result<(), HdlError> {
        if !seen.insert(name.to_owned()) {
            return Ok(());
        }
        // A unit's name is a word of its own in Verilog, so every use of one is an instance.
        for token in tokens(self.source(name)?) {
            if token.kind == Kind::Word && self.sources.contains_key(token.text) {
                self.visit(token.text, seen, order)?;
            }
        }
        order.push(name.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_after_what_they_instantiate() {
        let mut library = Library {
            sources: BTreeMap::new(),
        };
        library.add(
            "top",
            "module top (); b u_b (); a u_a (); endmodule // c".into(),
        );
        library.add("a", "module a (); b u_b (); endmodule".into());
        library.add("b", "module b (); endmodule".into());
        library.add("c", "module c (); endmodule".into());
        let files = library.files("top").unwrap();
        let paths: Vec<_> = files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["rtl/b.v", "rtl/a.v", "rtl/top.v"]);
        let error = library.files("d").unwrap_err().to_string();
        assert_eq!(error, "unknown unit 'd' (known: a, b, c, top)");
    }

    #[test]
    fn every_embedded_unit_has_a_header_that_the_reader_accepts() {
        let library = Library::embedded();
        let mut count = 0;
        for name in library.names() {
            crate::header::Header::read(name, library.source(name).unwrap()).unwrap();
            count += 1;
        }
        assert!(count > 0);
    }
}
