//! A plan as the file that says the same.

use super::file::{LayerFile, PlanFile, QuantiserFile, ScaleFile};
use super::{LayerPlan, Plan, Quantiser, ScalePlan};

impl PlanFile {
    /// The file of a plan for layers of those names. Quantisers have to be as files have them:
    /// saturating, to nearest, ties to even.
    pub fn of<'a>(plan: &Plan, layers: impl Iterator<Item = &'a str>) -> Self {
        let rows = layers.map(|name| (name.to_owned(), row(plan.layer(name))));
        Self {
            accumulator: plan.accumulator.name().to_owned(),
            default: "fp32".to_owned(),
            layers: rows.collect(),
        }
    }
}

fn row(layer: &LayerPlan) -> LayerFile {
    let optional = |quantiser: &Option<Quantiser>| quantiser.as_ref().map(file);
    match layer {
        LayerPlan::Keep(kept) => LayerFile::Keep {
            keep: kept.name().to_owned(),
        },
        LayerPlan::Quantised {
            input,
            weight,
            output,
        } => LayerFile::Quantised {
            input: file(input),
            weight: file(weight),
            output: optional(output),
        },
        LayerPlan::Dequantised {
            compute,
            input,
            weight,
            output,
        } => LayerFile::Dequantised {
            compute: compute.name().to_owned(),
            input: optional(input),
            weight: optional(weight),
            output: optional(output),
        },
    }
}

fn file(quantiser: &Quantiser) -> QuantiserFile {
    QuantiserFile {
        format: quantiser.conversion.format.name.to_owned(),
        scale: match &quantiser.scale {
            ScalePlan::Tensor(scale) => ScaleFile::Tensor(*scale),
            ScalePlan::Channels(scales) => ScaleFile::Channels(scales.clone()),
            ScalePlan::DynamicTensor => ScaleFile::dynamic(None, false),
            ScalePlan::DynamicLines => ScaleFile::dynamic(None, true),
            &ScalePlan::DynamicPercentile { percent, lines } => {
                ScaleFile::dynamic(Some(percent), lines)
            }
            &ScalePlan::Blocks(blocks) => ScaleFile::blocks(blocks),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::Formats;

    #[test]
    fn files_of_plans_say_the_same() {
        let mut scales = vec!["0.5".to_owned(), "[0.5, 0.25]".to_owned()];
        for name in ["dynamic", "dynamic-lines", "dynamic-percentile:99.5"] {
            scales.push(format!("\"{name}\""));
        }
        scales.push("\"dynamic-lines-percentile:50\"".to_owned());
        scales.push("{\"blocks\": \"mx:16\"}".to_owned());
        for scale in scales {
            let quantiser = format!("{{\"format\": \"e4m3fn\", \"scale\": {scale}}}");
            let text = format!(
                "{{\"accumulator\": \"fp32\", \"default\": \"fp32\", \"layers\": {{
                    \"a\": {{\"input\": {quantiser}, \"weight\": {quantiser}}},
                    \"b\": {{\"compute\": \"bf16\", \"output\": {quantiser}}},
                    \"c\": {{\"keep\": \"fp16\"}}}}}}"
            );
            let file = PlanFile::parse(text.as_bytes()).unwrap();
            let plan = file.plan(&Formats::default()).unwrap();
            assert_eq!(PlanFile::of(&plan, ["a", "b", "c"].into_iter()), file);
        }
    }
}
