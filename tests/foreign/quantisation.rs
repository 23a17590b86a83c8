//! Scales, losses and thresholds against a recomputation with numpy and ml_dtypes.

use ndarray::{Array2, ArrayView1};
use quaver_contract::{Blocking, Conversion, Formats, Overflow};
use quaver_quant::calibrate::{Granularity, Observer, ObserverKind};
use quaver_quant::loss::{Loss, Moments, Sums, kld};
use quaver_quant::scale::blocks::{Blocks, dequantise, quantise};
use quaver_quant::scale::gaudi::{Device, Fp8, Gaudi, Method, power_of_two};
use quaver_quant::scale::{Codec, amax};
use quaver_quant::search::{Space, search};
use quaver_verify::Random;

use crate::pipe::Pipe;

const SCRIPT: &str = "quantisation.py";
const SEED: u64 = 7;

/// Numbers near a bell curve, about 2^exponent wide.
fn numbers(random: &mut Random, count: usize, exponent: i32) -> Vec<f32> {
    let uniform = |random: &mut Random| f64::from(random.bits32()) / f64::from(u32::MAX) - 0.5;
    let bell = |random: &mut Random| (0..6).map(|_| uniform(random)).sum::<f64>();
    let width = 2f64.powi(exponent);
    (0..count).map(|_| (bell(random) * width) as f32).collect()
}

fn ask(pipe: &mut Pipe, line: &str, values: &[f32], count: usize) -> Vec<f64> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    pipe.send(line, &bytes);
    let mut answer = vec![0; count * 8];
    pipe.receive(&mut answer);
    let (numbers, _) = answer.as_chunks();
    numbers
        .iter()
        .map(|&bytes| f64::from_le_bytes(bytes))
        .collect()
}

#[test]
fn gaudi_scales_random_vs_numpy() {
    let mut random = Random::new(SEED, "gaudi");
    let mut pipe = Pipe::open(SCRIPT);
    let (rows, cols) = (6, 40);
    let mut cases = 0;
    for &(device, device_name) in Device::ALL {
        for &(fp8, fp8_name) in Fp8::ALL {
            for &(method, method_name) in Method::ALL {
                for exponent in -20..=20 {
                    let mut values = numbers(&mut random, rows * cols, exponent);
                    if exponent % 4 == 0 {
                        // Channels of different ranges, one of them of zeros; and a largest number
                        // whose scale is a power of two.
                        for (i, value) in values.iter_mut().enumerate() {
                            *value *= [1.0, 0.125, 0.0, 3.0, 0.5, 1.0][i / cols];
                        }
                        values[0] = 60.0 * power_of_two(exponent);
                    }
                    let line =
                        format!("gaudi {device_name} {fp8_name} {method_name} {rows} {cols}");
                    let foreign = ask(&mut pipe, &line, &values, rows + 1);
                    let gaudi = Gaudi {
                        device,
                        fp8,
                        method,
                    };
                    let channels: Vec<Vec<f32>> =
                        values.chunks(cols).map(<[f32]>::to_vec).collect();
                    let activation = gaudi.activation(amax(&values)).expect("it is finite");
                    let mut weight = gaudi.weight("w", &channels).expect("it is finite");
                    if weight.len() == 1 {
                        weight = vec![weight[0]; rows];
                    }
                    let ours: Vec<f64> = [activation]
                        .iter()
                        .chain(&weight)
                        .map(|&scale| f64::from(scale))
                        .collect();
                    assert_eq!(ours, foreign, "{line} at 2^{exponent}, seed {SEED}");
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 2 * 2 * Method::ALL.len() * 41);
}

/// Sums in another order may differ in their last bits: 1e-9 of the larger of the number and what
/// it is a difference of.
fn close(ours: f64, foreign: f64, size: f64) -> bool {
    (ours - foreign).abs() <= 1e-9 * size.max(foreign.abs())
}

#[test]
fn losses_random_vs_numpy() {
    let formats = Formats::default();
    let mut random = Random::new(SEED, "losses");
    let mut pipe = Pipe::open(SCRIPT);
    let mut cases = 0;
    for name in ["e4m3fnuz", "e5m2fnuz", "e4m3fn", "e5m2"] {
        let format = formats.get(name).expect("it is in the table");
        let codec = Codec::new(format).expect("the format is legal");
        for exponent in -8..=8 {
            let values = numbers(&mut random, 1003, 0);
            let line = format!("loss {name} {exponent} {}", values.len());
            let foreign = ask(&mut pipe, &line, &values, 13);
            let mut quantised = vec![0.0; values.len()];
            codec.round_trip(&values, power_of_two(exponent), &mut quantised);
            let sums = Sums::of(&values, &quantised);
            let wide = values.iter().map(|&x| f64::from(x));
            let noise = values
                .iter()
                .zip(&quantised)
                .map(|(&x, &q)| f64::from(q) - f64::from(x));
            let moments = |m: Moments| [m.mean, m.variance, m.skewness, m.kurtosis];
            let (data, noise) = (moments(Moments::of(wide)), moments(Moments::of(noise)));
            let divergence = kld(&values, &quantised);
            let losses = [
                sums.mse(),
                sums.mae(),
                sums.snr(),
                divergence,
                1.0 - sums.cosine(),
            ];
            let ours = losses.iter().chain(&data).chain(&noise);
            for (i, (&ours, &foreign)) in ours.zip(&foreign).enumerate() {
                let size = if i == 3 || i == 4 { 1e-6 } else { 1.0 };
                assert!(
                    close(ours, foreign, size),
                    "{line}, item {i}: {ours:e}, {foreign:e}"
                );
            }
            // The search's own way to each loss, with one candidate, is the same number.
            let space = Space {
                formats: vec![format],
                low: exponent,
                high: exponent,
            };
            for (&(loss, loss_name), &foreign) in Loss::ALL.iter().zip(&foreign) {
                let found = search("x", &values, &space, loss).expect("the input is legal");
                let ours = found.best.loss;
                assert!(
                    close(ours, foreign, 1e-6),
                    "{line} {loss_name}: {ours:e}, {foreign:e}"
                );
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 4 * 17 * Loss::ALL.len());
}

#[test]
fn observers_random_vs_numpy() {
    let formats = Formats::default();
    let mut random = Random::new(SEED, "observers");
    let mut pipe = Pipe::open(SCRIPT);
    let (batches, count) = (3, 4000);
    for name in ["int8", "e4m3fn", "e5m2", "e4m3"] {
        let codec = Codec::new(formats.get(name).expect("it is in the table")).expect("legal");
        for exponent in [-9, 0, 5] {
            let values: Vec<f32> = (0..batches)
                .flat_map(|batch| numbers(&mut random, count, exponent + batch))
                .collect();
            let line = format!("observer {name} {batches} {count}");
            let foreign = ask(&mut pipe, &line, &values, 4);
            let kinds = [
                ObserverKind::Max,
                ObserverKind::Percentile(99.0),
                ObserverKind::Mse,
                ObserverKind::Entropy,
            ];
            for (kind, foreign) in kinds.into_iter().zip(foreign) {
                let mut observer = Observer::new("x", kind, Granularity::Tensor).expect("legal");
                for batch in values.chunks(count) {
                    let seen = observer.observe(ArrayView1::from(batch).into_dyn());
                    seen.expect("the numbers are finite");
                }
                let ours = observer.amax(&codec);
                assert_eq!(
                    ours,
                    [foreign as f32],
                    "{line} {kind:?} 2^{exponent}, seed {SEED}"
                );
            }
        }
    }
}

#[test]
fn blocks_random_vs_golden() {
    let formats = Formats::default();
    let mut random = Random::new(SEED, "blocks");
    let mut cases = 0;
    for name in [
        "e2m1fn", "e2m3fn", "e3m2fn", "e4m3fn", "e5m2", "int8", "int4", "mxint8",
    ] {
        let native = Conversion::native(formats.get(name).expect("it is in the table"));
        let saturating = native.with_overflow(Overflow::Saturate);
        let conversion = saturating.unwrap_or(native);
        for (kind, length) in [
            ("mx", 32),
            ("nvfp4", 16),
            ("fp32", 128),
            ("fp32", 5),
            ("mx", 3),
        ] {
            for exponent in [-140, -60, -3, 0, 9, 100] {
                let mut values = numbers(&mut random, 9 * 70, exponent);
                values[40] = f32::NAN;
                values[170] = f32::NEG_INFINITY;
                values[280..350].fill(0.0);
                let values = Array2::from_shape_vec((9, 70), values).expect("9 rows");
                let blocking = Blocking::get(&format!("{kind}:1x{length}")).expect("legal");
                let bits = values.mapv(f32::to_bits);
                let golden = quaver_golden::block::quantise(bits.view(), &blocking, &conversion);
                let golden = golden.expect("legal");
                let blocks = Blocks::get(&format!("{kind}:{length}")).expect("legal");
                let ours = quantise(values.view(), blocks, &conversion).expect("legal");
                let case = format!("{name} {kind}:{length} 2^{exponent}, seed {SEED}");
                assert_eq!(ours.codes.mapv(u32::from), golden.codes, "{case}");
                assert_eq!(ours.scales, golden.scales, "{case}");
                assert_eq!(
                    ours.tensor.to_bits(),
                    golden.tensor.unwrap_or(1f32.to_bits()),
                    "{case}"
                );
                let numbers = quaver_golden::block::dequantise(&golden, &blocking, &conversion);
                let numbers = numbers.expect("legal");
                let pairs = dequantise(&ours, blocks, conversion.format);
                for (ours, &golden) in pairs.iter().zip(&numbers) {
                    let same = ours.to_bits() == golden;
                    assert!(
                        same || (ours.is_nan() && f32::from_bits(golden).is_nan()),
                        "{case}"
                    );
                }
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 8 * 5 * 6);
}
