//! Archives of arrays, and headers of arrays.

use quaver_quant::npz::header;
use quaver_quant::{Error, npz};

/// Reads an archive. What is one is written, and is then the same.
///
/// # Panics
/// When an error has no place, or the archive is another one.
pub fn npz(bytes: &[u8]) -> bool {
    match npz::parse(bytes) {
        Ok(arrays) => {
            let mut written = Vec::new();
            let named = arrays.iter().map(|(name, tensor)| (name.as_str(), tensor));
            if let Err(error) = npz::write_to(&mut written, named) {
                // Names that a reader meets and a writer refuses.
                let text = error.to_string();
                assert!(text.contains("array") || text.contains("name"), "{text}");
                return true;
            }
            let mut again = Vec::new();
            let arrays = npz::parse(&written).expect("it was just written");
            let named = arrays.iter().map(|(name, tensor)| (name.as_str(), tensor));
            npz::write_to(&mut again, named).expect("it was written before");
            // Bytes, since a NaN is not equal to itself.
            assert_eq!(written, again);
            true
        }
        Err(error) => {
            let text = error.to_string();
            match error {
                Error::Npz { place, .. } => {
                    let placed = place == "archive" || place.starts_with("array \"");
                    assert!(placed, "{text}");
                }
                Error::Illegal { .. } => assert!(text.contains("up to 2^63 - 1"), "{text}"),
                _ => panic!("{text}"),
            }
            false
        }
    }
}

/// Reads the header of an array.
///
/// # Panics
/// When an error says nothing, or there are more axes than numpy has.
pub fn npy(bytes: &[u8]) -> bool {
    match header::read(&mut &bytes[..]) {
        Ok(shape) => {
            assert!(shape.lengths.len() <= 64);
            true
        }
        Err(message) => {
            assert!(!message.is_empty());
            false
        }
    }
}
