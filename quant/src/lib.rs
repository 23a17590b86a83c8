//! The numbers of quantised models: what observers keep of activations, the scales that other systems
//! derive from it, losses, and the search for the format and scale of least loss.

pub mod calibrate;
pub mod loss;
pub mod scale;
pub mod search;
