//! What other systems make of a model, in their own words.

pub mod inc;
pub mod intfp;
pub mod layers;
pub mod migraphx;
pub mod mixed;
pub mod poprt;
