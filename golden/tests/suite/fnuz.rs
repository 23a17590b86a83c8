//! OCP and FNUZ codes with the same numbers.

use ndarray::{Array1, arr1};
use quaver_contract::Format;
use quaver_contract::formats::TABLE;
use quaver_golden::{Number, decode, fnuz_to_ocp, ocp_to_fnuz};

use crate::vectors::{host, published};

fn find(name: &str) -> &'static Format {
    TABLE.iter().find(|format| format.name == name).unwrap()
}

fn pairs() -> [(&'static Format, &'static Format); 2] {
    [("e4m3fn", "e4m3fnuz"), ("e5m2", "e5m2fnuz")].map(|(a, b)| (find(a), find(b)))
}

fn bits(values: &[f32]) -> Array1<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Every code with scales from one end of binary32 to the other stands for the same number after.
#[test]
fn all_codes_vs_published_numbers() {
    let scales = [1.0, 0.375, -2.5, f32::MAX / 2.0, f32::MIN_POSITIVE, 3e-45];
    let mut cases = 0;
    for (ocp, fnuz) in pairs() {
        let codes: Array1<u32> = (0..256).collect();
        let (after, doubled) = ocp_to_fnuz(codes.view(), bits(&scales).view(), ocp, fnuz).unwrap();
        let (before, numbers) = (published(ocp.name), published(fnuz.name));
        for code in 0..256usize {
            let after = numbers[after[code] as usize];
            for (scale, doubled) in scales.iter().zip(&doubled) {
                let was = host(before[code]) * f64::from(*scale);
                let is = host(after) * f64::from(f32::from_bits(*doubled));
                let same = match before[code] {
                    Number::Finite { .. } => was == is,
                    _ => after == Number::Nan,
                };
                assert!(same, "{} {code:#04x}: {was} became {is}", ocp.name);
                cases += 1;
            }
        }
        // And back, for what OCP has.
        let kept: Array1<u32> = (0..256)
            .filter(|&code| code == 0x80 || code & 0x7f <= ocp.max_code())
            .collect();
        let (back, halved) = fnuz_to_ocp(kept.view(), bits(&[1.0]).view(), fnuz, ocp).unwrap();
        assert_eq!(halved, bits(&[0.5]));
        for (&code, &back) in kept.iter().zip(&back) {
            let (was, is) = (decode(code, fnuz), host(before[back as usize]));
            assert!(host(was) == is * 0.5 || is.is_nan() && was == Number::Nan);
            cases += 1;
        }
    }
    println!("{cases} cases");
    assert!(cases > 0);
}

/// -0 is no NaN, both NaNs are one, and a scale that has no double is refused: each is wrong in a
/// converter that is in use.
#[test]
fn regressions_of_another_converter() {
    for (ocp, fnuz) in pairs() {
        let scale = |scale: f32| bits(&[scale]);
        let convert =
            |code, by: f32| ocp_to_fnuz(arr1(&[code]).view(), scale(by).view(), ocp, fnuz);
        assert_eq!(convert(0x80, 1.0).unwrap(), (arr1(&[0x00]), scale(2.0)));
        assert_eq!(convert(0x7f, 1.0).unwrap().0, arr1(&[0x80]));
        assert_eq!(convert(0xff, 1.0).unwrap().0, arr1(&[0x80]));
        assert_eq!(convert(0x01, f32::MAX / 2.0).unwrap().1, scale(f32::MAX));
        for overflowing in [
            f32::MAX,
            -f32::MAX,
            2f32.powi(127),
            (f32::MAX / 2.0).next_up(),
        ] {
            let error = convert(0x01, overflowing).unwrap_err().to_string();
            assert!(error.starts_with("scale = "), "{error}");
        }
        assert!(convert(0x01, f32::INFINITY).is_ok());
        let back = |code, by: f32| fnuz_to_ocp(arr1(&[code]).view(), scale(by).view(), fnuz, ocp);
        assert!(back(0x7f, 1.0).is_err(), "beyond the largest OCP number");
        assert!(back(0x01, 1e-45).is_err(), "half of the smallest subnormal");
        assert!(back(0x01, 3e-45).is_ok());
        assert!(ocp_to_fnuz(arr1(&[256]).view(), scale(1.0).view(), ocp, fnuz).is_err());
        assert!(ocp_to_fnuz(arr1(&[0]).view(), scale(1.0).view(), fnuz, ocp).is_err());
    }
}
