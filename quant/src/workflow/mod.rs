//! What other systems make of a model, in their own words.

pub mod inc;
pub mod migraphx;
pub mod poprt;
