//! What passes a quantiser on the way back.

use ndarray::{Array2, ArrayD, ArrayView2, IxDyn, arr2};

use super::super::gradient::{Gradient, Place, operand, through_output};
use super::{plan, quantiser};
use crate::plan::LayerPlan;

/// What a gradient of ones becomes on the way through an operand's quantiser.
fn passed(
    layer: &LayerPlan,
    gradient: Gradient,
    place: Place,
    values: ArrayView2<'_, f32>,
) -> Array2<f32> {
    let found = operand((layer, gradient), place, values, values.into_dyn()).unwrap();
    let mut ones = Array2::ones(values.dim());
    found.through(&mut ones);
    ones
}

#[test]
fn quantisers_pass_gradients_within_their_range() {
    // Of each format with scale 0.5: the lowest and highest numbers within, and the next outside.
    for (format, lowest, highest, below, above) in [
        ("e4m3fn", -224.0, 224.0, -224.00002, 224.00002),
        ("e2m1fn", -3.0, 3.0, -3.0000002, 3.0000002),
        ("int4", -4.0, 3.5, -4.0000005, 3.5000002),
        ("e5m2", -28672.0, 28672.0, -28672.002, 28672.002),
    ] {
        let values = arr2(&[[lowest, highest, 0.0], [below, above, 1e-9]]);
        for scale in ["0.5", "[0.5, 0.5, 0.5]"] {
            let weight = quantiser(format, scale);
            let plan = plan(&quantiser(format, "0.5"), &weight, "");
            let layer = plan.layer("fc");
            let ones = Array2::<f32>::ones((2, 3));
            let inside = arr2(&[[1.0, 1.0, 1.0], [0.0, 0.0, 1.0]]);
            for place in [Place::FIRST, Place::SECOND] {
                let ste = passed(layer, Gradient::Ste, place, values.view());
                assert_eq!(ste, ones, "{format}");
                let pwl = passed(layer, Gradient::Pwl, place, values.view());
                assert_eq!(pwl, inside, "{format}");
            }
        }
        let output = format!(", \"output\": {}", quantiser(format, "0.5"));
        let plan = plan(&quantiser("int8", "1"), &quantiser("int8", "1"), &output);
        let through = |gradient| {
            let ones = ArrayD::ones(IxDyn(&[2, 3]));
            through_output(
                (plan.layer("fc"), gradient),
                &values.clone().into_dyn(),
                ones,
            )
            .unwrap()
        };
        assert_eq!(
            through(Gradient::Ste),
            Array2::<f32>::ones((2, 3)).into_dyn()
        );
        let inside = arr2(&[[1.0, 1.0, 1.0], [0.0, 0.0, 1.0]]).into_dyn();
        assert_eq!(through(Gradient::Pwl), inside, "{format}");
    }
}

#[test]
fn scales_of_lines_and_blocks_decide_what_saturates() {
    // OCP MX takes the largest power of two: 7.5 / 1 saturates in e2m1fn (6), 6 does not.
    let values = arr2(&[[7.5, 6.0, 0.5, 3.75]]);
    let blocks = quantiser("e2m1fn", "{\"blocks\": \"mx:2\"}");
    let plan_of = |scale: &str| plan(scale, scale, "");
    let plan = plan_of(&blocks);
    let layer = plan.layer("fc");
    let expected = arr2(&[[0.0, 1.0, 1.0, 0.0]]);
    assert_eq!(
        passed(layer, Gradient::Pwl, Place::FIRST, values.view()),
        expected
    );
    let turned = passed(layer, Gradient::Pwl, Place::SECOND, values.t());
    assert_eq!(turned, expected.t());
    let found = operand(
        (layer, Gradient::Pwl),
        Place::FIRST,
        values.view(),
        values.view().into_dyn(),
    );
    assert_eq!(found.unwrap().numbers, arr2(&[[6.0, 6.0, 0.5, 3.0]]));
    // A dynamic scale is of the largest magnitude, and nothing saturates.
    for scale in ["\"dynamic\"", "\"dynamic-lines\""] {
        let plan = plan_of(&quantiser("e2m1fn", scale));
        let found = passed(plan.layer("fc"), Gradient::Pwl, Place::FIRST, values.view());
        assert_eq!(found, Array2::<f32>::ones((1, 4)));
    }
    // Half of four: the second smallest magnitude is the top.
    let plan = plan_of(&quantiser("e2m1fn", "\"dynamic-percentile:50\""));
    let found = passed(plan.layer("fc"), Gradient::Pwl, Place::FIRST, values.view());
    assert_eq!(found, arr2(&[[0.0, 0.0, 1.0, 1.0]]));
}
