//! The golden and the fast conversions against foreign packages, through the scripts of
//! scripts/vectors.

mod gfloat;
mod ml_dtypes;
mod pipe;
mod quantisation;
