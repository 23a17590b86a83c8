//! Writing a model, and its tensors' elements beside it where they are too many.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use super::encode::{self, Message};
use super::{Initializer, Model};
use crate::Error;
use crate::files::persist;

/// Longest message of protocol buffers.
const MESSAGE_BYTES_MAX: usize = i32::MAX as usize;

/// Tensors of fewer bytes stay in the model, as PyPI onnx has it.
const EXTERNAL_BYTES_MIN: usize = 1024;

/// Offsets in an external file are multiples of this, so that its parts can be mapped.
const EXTERNAL_ALIGNMENT: u64 = 4096;

/// Where elements of tensors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// In the model, or beside it where the model would have more than 2 GiB.
    #[default]
    Auto,
    /// Tensors of 1 KiB and more beside the model, in a file of its name with `.data` behind it.
    External,
}

/// Writes a model. Both files appear whole, first the one of tensors, and replace older ones.
///
/// # Errors
/// [`Error::File`] if a file cannot be made, or a model has more than 2 GiB without its tensors.
pub fn write(model: &Model, path: &Path, storage: Storage) -> Result<(), Error> {
    write_within(model, path, storage, MESSAGE_BYTES_MAX)
}

/// Writes a model whose message has at most so many bytes.
fn write_within(model: &Model, path: &Path, storage: Storage, limit: usize) -> Result<(), Error> {
    let fail = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    if storage == Storage::Auto {
        let message = encode::model(model, &mut |_| None);
        if message.length() <= limit {
            return persist(path, &mut |writer| message.write(writer));
        }
    }
    let name = path
        .file_name()
        .ok_or_else(|| fail(io::ErrorKind::InvalidFilename.into()))?;
    let mut data = OsString::from(name);
    data.push(".data");
    let Some(location) = data.to_str() else {
        let text = "the name of a file of tensors has to be UTF-8";
        return Err(fail(io::Error::new(io::ErrorKind::InvalidFilename, text)));
    };
    let mut end = 0u64;
    let message = encode::model(model, &mut |tensor| {
        if tensor.bytes.len() < EXTERNAL_BYTES_MIN {
            return None;
        }
        let offset = end.next_multiple_of(EXTERNAL_ALIGNMENT);
        end = offset + tensor.bytes.len() as u64;
        Some((offset, location.to_owned()))
    });
    check_length(&message, limit).map_err(fail)?;
    persist(&path.with_file_name(&data), &mut |writer| {
        let mut at = 0u64;
        // The same order as above, by the same walk.
        let mut result = Ok(());
        encode::model(model, &mut |tensor| {
            if tensor.bytes.len() >= EXTERNAL_BYTES_MIN && result.is_ok() {
                result = append(writer, &mut at, tensor);
            }
            None
        });
        result
    })?;
    persist(path, &mut |writer| message.write(writer))
}

/// Writes a model with all of its tensors to any writer.
///
/// # Errors
/// The writer's, and one for a model of more than 2 GiB.
pub fn write_to(model: &Model, writer: &mut dyn Write) -> io::Result<()> {
    let message = encode::model(model, &mut |_| None);
    check_length(&message, MESSAGE_BYTES_MAX)?;
    message.write(writer)
}

fn check_length(message: &Message<'_>, limit: usize) -> io::Result<()> {
    let length = message.length();
    if length <= limit {
        return Ok(());
    }
    let text = format!("a model of {length} bytes (at most {limit})");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, text))
}

/// Pads with zeros to the next offset, then writes a tensor's elements.
fn append(writer: &mut dyn Write, at: &mut u64, tensor: &Initializer) -> io::Result<()> {
    const ZEROS: [u8; EXTERNAL_ALIGNMENT as usize] = [0; EXTERNAL_ALIGNMENT as usize];
    let padding = at.next_multiple_of(EXTERNAL_ALIGNMENT) - *at;
    writer.write_all(&ZEROS[..usize::try_from(padding).expect("less than the alignment")])?;
    writer.write_all(&tensor.bytes)?;
    *at += padding + tensor.bytes.len() as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use crate::onnx;

    /// A model of two tensors of 4 KB, a small one, and nothing else.
    fn model() -> Model {
        let tensor = |name: &str, elements: u16| {
            let values = (0..elements).map(f32::from).collect();
            let values = ndarray::Array1::from_vec(values).into_dyn();
            Initializer::new(name, &Tensor::Float(values)).unwrap()
        };
        let mut model = Model::default();
        model.graph.initializers = vec![tensor("a", 1001), tensor("b", 3), tensor("c", 1000)];
        model
    }

    #[test]
    fn models_above_the_limit_get_a_file_of_tensors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.onnx");
        for (limit, files) in [(10_000, 1), (1_000, 2)] {
            write_within(&model(), &path, Storage::Auto, limit).unwrap();
            assert_eq!(onnx::read(&path).unwrap(), model());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), files);
        }
        let data = std::fs::metadata(folder.path().join("x.onnx.data")).unwrap();
        assert_eq!(data.len(), 4096 + 4000);
    }

    #[test]
    fn models_above_the_limit_without_their_tensors_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.onnx");
        let error = write_within(&model(), &path, Storage::Auto, 100).unwrap_err();
        assert!(error.to_string().contains("at most 100"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
