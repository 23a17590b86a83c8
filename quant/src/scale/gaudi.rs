//! The scale methods of Intel Neural Compressor on Gaudi, by its published formulas.
//!
//! s = amax / (FS * backoff), where FS is the largest number of the format and the backoff is 0.25
//! for activations, 0.5 for weights. POW2(s) = 2^ceil(log2 s); HW(s) is the same in the exponents
//! that the hardware's adders of exponent biases have.

use quaver_contract::{Format, Formats};

use super::{Codec, ScaleError, amax};
use crate::loss::squared_error;

/// A device: what it calls its formats and which scales its hardware applies by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Gaudi2: E4M3 with IEEE specials, four exponent biases.
    Gaudi2,
    /// Gaudi3: E4M3 with one NaN, any exponent bias of a range.
    Gaudi3,
}

/// Neural Compressor's `fp8_config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fp8 {
    /// `E4M3`.
    E4m3,
    /// `E5M2`.
    E5m2,
}

/// Exponents of the scales that the hardware applies: `low`, `low + step`, ..., `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HwScales {
    low: i32,
    high: i32,
    step: i32,
}

/// Device, format, the format's name in the contract, hardware scales.
const ROWS: &[(Device, Fp8, &str, HwScales)] = &[
    (
        Device::Gaudi2,
        Fp8::E4m3,
        "e4m3",
        HwScales {
            low: -8,
            high: 4,
            step: 4,
        },
    ),
    (
        Device::Gaudi2,
        Fp8::E5m2,
        "e5m2",
        HwScales {
            low: 0,
            high: 0,
            step: 4,
        },
    ),
    (
        Device::Gaudi3,
        Fp8::E4m3,
        "e4m3fn",
        HwScales {
            low: -55,
            high: 7,
            step: 1,
        },
    ),
    (
        Device::Gaudi3,
        Fp8::E5m2,
        "e5m2",
        HwScales {
            low: -47,
            high: 15,
            step: 1,
        },
    ),
];

impl Device {
    /// Every device with its name.
    pub const ALL: &'static [(Self, &'static str)] =
        &[(Self::Gaudi2, "gaudi2"), (Self::Gaudi3, "gaudi3")];
}

impl Fp8 {
    /// Every format with its name in `fp8_config`.
    pub const ALL: &'static [(Self, &'static str)] = &[(Self::E4m3, "E4M3"), (Self::E5m2, "E5M2")];

    /// The format of a device.
    pub fn format(self, device: Device) -> &'static Format {
        let name = row(device, self).2;
        Formats::default()
            .get(name)
            .expect("rows name formats of the table")
    }
}

fn row(device: Device, fp8: Fp8) -> &'static (Device, Fp8, &'static str, HwScales) {
    let row = ROWS.iter().find(|row| (row.0, row.1) == (device, fp8));
    row.expect("every device has every format")
}

impl HwScales {
    /// Of a device and format.
    pub fn of(device: Device, fp8: Fp8) -> Self {
        row(device, fp8).3
    }

    /// The scales, ascending.
    pub fn all(self) -> impl Iterator<Item = f32> {
        let steps = (self.high - self.low) / self.step;
        (0..=steps).map(move |i| power_of_two(self.low + i * self.step))
    }

    /// HW(s): the next power of two of the hardware at or above s, within its range.
    pub fn above(self, scale: f64) -> f32 {
        let exponent = ceil_log2(scale).unwrap_or(self.low);
        let stepped =
            exponent.div_euclid(self.step) + i32::from(exponent.rem_euclid(self.step) > 0);
        power_of_two((stepped * self.step).clamp(self.low, self.high))
    }
}

/// A scale method by its name in the JSON configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// 1 for all.
    UnitScale,
    /// The largest of the hardware's scales for all.
    HwAlignedSingleScale,
    /// HW(s) of each tensor; Neural Compressor's default.
    MaxabsHw,
    /// POW2(s) of each tensor.
    MaxabsPow2,
    /// HW(s) for activations; for weights that hardware scale with the least squared error.
    MaxabsHwOptWeight,
    /// POW2(s) for activations; for output channels of weights, that of 2^-3 to 2^4 times POW2(s)
    /// with the least squared error.
    ActMaxabsPow2WeightsPcsOptPow2,
    /// HW(s) for activations, POW2(s) for output channels of weights.
    ActMaxabsHwWeightsPcsMaxabsPow2,
}

impl Method {
    /// Every method with its name.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::UnitScale, "unit_scale"),
        (Self::HwAlignedSingleScale, "hw_aligned_single_scale"),
        (Self::MaxabsHw, "maxabs_hw"),
        (Self::MaxabsPow2, "maxabs_pow2"),
        (Self::MaxabsHwOptWeight, "maxabs_hw_opt_weight"),
        (
            Self::ActMaxabsPow2WeightsPcsOptPow2,
            "act_maxabs_pow2_weights_pcs_opt_pow2",
        ),
        (
            Self::ActMaxabsHwWeightsPcsMaxabsPow2,
            "act_maxabs_hw_weights_pcs_maxabs_pow2",
        ),
    ];
}

/// A method on a device for a format.
#[derive(Clone, Copy, Debug)]
pub struct Gaudi {
    /// The device.
    pub device: Device,
    /// The format.
    pub fp8: Fp8,
    /// The method.
    pub method: Method,
}

const BACKOFF_ACTIVATION: f64 = 0.25;
const BACKOFF_WEIGHT: f64 = 0.5;

impl Gaudi {
    fn full_scale(&self) -> f64 {
        f64::from(super::max_value(self.fp8.format(self.device)))
    }

    fn hw(&self) -> HwScales {
        HwScales::of(self.device, self.fp8)
    }

    /// The scale of activations whose largest magnitude is `amax`.
    ///
    /// # Errors
    /// [`ScaleError::Illegal`] for an amax that is negative or not finite.
    pub fn activation(&self, amax: f32) -> Result<f32, ScaleError> {
        if !(amax.is_finite() && amax >= 0.0) {
            return Err(ScaleError::illegal("maxabs", amax, "finite numbers from 0"));
        }
        let scale = f64::from(amax) / (self.full_scale() * BACKOFF_ACTIVATION);
        Ok(match self.method {
            Method::UnitScale => 1.0,
            Method::HwAlignedSingleScale => power_of_two(self.hw().high),
            Method::MaxabsPow2 | Method::ActMaxabsPow2WeightsPcsOptPow2 => pow2(scale),
            Method::MaxabsHw
            | Method::MaxabsHwOptWeight
            | Method::ActMaxabsHwWeightsPcsMaxabsPow2 => self.hw().above(scale),
        })
    }

    /// The scales of a weight: one, or one an output channel for the methods of channels.
    /// `channels` holds the numbers of each output channel.
    ///
    /// # Errors
    /// [`ScaleError::NotFinite`] for a weight that is not finite.
    pub fn weight(&self, name: &str, channels: &[Vec<f32>]) -> Result<Vec<f32>, ScaleError> {
        for channel in channels {
            super::check_finite(name, channel)?;
        }
        let raw = |amax: f32| f64::from(amax) / (self.full_scale() * BACKOFF_WEIGHT);
        let largest = || {
            channels
                .iter()
                .fold(0.0f32, |m, channel| m.max(amax(channel)))
        };
        Ok(match self.method {
            Method::UnitScale => vec![1.0],
            Method::HwAlignedSingleScale => vec![power_of_two(self.hw().high)],
            Method::MaxabsHw => vec![self.hw().above(raw(largest()))],
            Method::MaxabsPow2 => vec![pow2(raw(largest()))],
            Method::MaxabsHwOptWeight => {
                let codec = Codec::new(self.fp8.format(self.device))?;
                let error = |scale: f32| -> f64 {
                    channels
                        .iter()
                        .map(|c| squared_error(&codec, c, scale))
                        .sum()
                };
                // Ties take the later entry.
                let best = self.hw().all().map(|scale| (error(scale), scale));
                let best = best.reduce(|best, next| if next.0 <= best.0 { next } else { best });
                vec![best.expect("every device has a scale").1]
            }
            Method::ActMaxabsHwWeightsPcsMaxabsPow2 => channels
                .iter()
                .map(|channel| pow2(raw(amax(channel))))
                .collect(),
            Method::ActMaxabsPow2WeightsPcsOptPow2 => {
                let codec = Codec::new(self.fp8.format(self.device))?;
                let one = |channel: &Vec<f32>| {
                    let base = pow2(raw(amax(channel)));
                    let candidates = (-3..=4).map(|e| base * power_of_two(e));
                    let best = candidates.map(|s| (squared_error(&codec, channel, s), s));
                    // Ties take the first.
                    let best = best.reduce(|best, next| if next.0 < best.0 { next } else { best });
                    best.expect("there are eight candidates").1
                };
                channels.iter().map(one).collect()
            }
        })
    }
}

/// POW2(s), at least 2^-126; 1 for zero, whose logarithm does not exist.
fn pow2(scale: f64) -> f32 {
    ceil_log2(scale).map_or(1.0, |exponent| power_of_two(exponent.clamp(-126, 127)))
}

/// ceil(log2 x) of a positive normal number, exactly; none for zero.
fn ceil_log2(x: f64) -> Option<i32> {
    let bits = x.to_bits();
    // Quotients of binary32 numbers are normal in binary64.
    let floor = ((bits >> 52) & 0x7ff) as i32 - 1023;
    (x > 0.0).then(|| floor + i32::from(bits << 12 != 0))
}

/// 2^exponent, of normal binary32 numbers.
pub fn power_of_two(exponent: i32) -> f32 {
    debug_assert!((-126..=127).contains(&exponent));
    f32::from_bits(((exponent + 127).cast_unsigned()) << 23)
}
