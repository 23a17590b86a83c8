//! The report's pictures, as SVG on no ground of their own: lines and letters are of a grey that both a light
//! and a dark page show.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use quaver_quant::loss::Histogram;
use quaver_quant::report::Binades;

use crate::error::CliError;

const GREY: RGBColor = RGBColor(128, 128, 128);
const BLUE: RGBColor = RGBColor(70, 130, 200);
const ORANGE: RGBColor = RGBColor(230, 130, 40);
const RED: RGBColor = RGBColor(210, 70, 70);

/// Of letters.
const FONT: (&str, i32) = ("sans-serif", 12);
/// Pixels of a picture over the whole page.
const WIDE: (u32, u32) = (1000, 260);
/// Pixels of a picture beside another.
const HALF: (u32, u32) = (490, 230);
/// Where a logarithmic axis of counts begins.
const LEAST_COUNT: f64 = 0.5;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn Error>>,
) -> Result<String, CliError> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let drawn = draw(&root).and_then(|()| Ok(root.present()?));
        drawn.map_err(|error| CliError::other(std::io::Error::other(error.to_string())))?;
    }
    Ok(text)
}

fn letters() -> TextStyle<'static> {
    FONT.into_font().color(&GREY)
}

/// Labels of an axis of whole numbers; what is between two has none.
fn whole(place: &f64) -> String {
    match place.fract() {
        0.0 => format!("{place:.0}"),
        _ => String::new(),
    }
}

/// Axes and their names.
macro_rules! axes {
    ($chart:expr, $x:expr, $y:expr) => {
        $chart
            .configure_mesh()
            .axis_style(GREY)
            .bold_line_style(GREY.mix(0.25))
            .light_line_style(TRANSPARENT)
            .label_style(letters())
            .axis_desc_style(letters())
            .y_labels(6)
            .x_desc($x)
            .y_desc($y)
    };
}

/// The ends of an axis that shows all finite ones of these numbers.
fn ends(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = numbers.filter(|number| number.is_finite());
    let ends = finite.fold(None, |ends, number| match ends {
        None => Some((number, number)),
        Some((least, most)) => Some((number.min(least), number.max(most))),
    });
    let (least, most) = ends.unwrap_or((0.0, 0.0));
    (least - 1.0, most + 1.0)
}

/// Relative errors, a bar a layer, on a logarithmic axis; layers without any have none.
pub(super) fn errors(errors: &[f64]) -> Result<String, CliError> {
    let shown = || {
        errors
            .iter()
            .copied()
            .filter(|error| error.is_finite() && *error > 0.0)
    };
    let least = shown().fold(1e-2, f64::min) / 2.0;
    let most = shown().fold(least * 10.0, f64::max) * 2.0;
    svg(WIDE, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(64)
            .build_cartesian_2d(0.5..errors.len() as f64 + 0.5, (least..most).log_scale())?;
        axes!(chart, "layer", "relative error (L2)")
            .disable_x_mesh()
            .x_label_formatter(&whole)
            .y_label_formatter(&|y| format!("{y:.0e}"))
            .draw()?;
        let bars = errors
            .iter()
            .enumerate()
            .filter(|(_, error)| **error > 0.0 && error.is_finite());
        chart.draw_series(bars.map(|(i, &error)| {
            let place = i as f64 + 1.0;
            Rectangle::new([(place - 0.4, least), (place + 0.4, error)], BLUE.filled())
        }))?;
        Ok(())
    })
}

/// The scales of every layer's products: a line from least to largest, and the median.
pub(super) fn layer_scales(scales: &[Vec<f32>]) -> Result<String, CliError> {
    let spread = |scales: &Vec<f32>| {
        let mut logs: Vec<f64> = scales
            .iter()
            .map(|&scale| f64::from(scale).log2())
            .collect();
        logs.retain(|log| log.is_finite());
        logs.sort_by(f64::total_cmp);
        Some((*logs.first()?, logs[logs.len() / 2], *logs.last()?))
    };
    let spreads: Vec<_> = scales.iter().map(spread).collect();
    let known = spreads.iter().flatten();
    let (least, most) = ends(known.flat_map(|&(least, _, most)| [least, most]));
    svg(WIDE, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(64)
            .build_cartesian_2d(0.5..scales.len() as f64 + 0.5, least..most)?;
        axes!(chart, "layer", "log2 of scale")
            .disable_x_mesh()
            .x_label_formatter(&whole)
            .draw()?;
        for (i, spread) in spreads.iter().enumerate() {
            if let Some((least, median, most)) = *spread {
                let place = i as f64 + 1.0;
                let line =
                    PathElement::new(vec![(place, least), (place, most)], BLUE.stroke_width(2));
                chart.draw_series([line])?;
                chart.draw_series([Circle::new((place, median), 3, ORANGE.filled())])?;
            }
        }
        Ok(())
    })
}

/// Magnitudes by exponent, with the format's range: least number, least normal, largest.
pub(super) fn binades(binades: &Binades, range: Option<[f64; 3]>) -> Result<String, CliError> {
    let logs = range.map(|range| range.map(f64::log2));
    let counted = binades.counts.len() as f64;
    let mut ends = (
        f64::from(binades.lowest),
        f64::from(binades.lowest) + counted.max(1.0),
    );
    if let Some([least, _, largest]) = logs {
        ends = (ends.0.min(least), ends.1.max(largest));
    }
    let most = binades.counts.iter().copied().max().unwrap_or(0).max(1) as f64 * 2.0;
    svg(HALF, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(58)
            .build_cartesian_2d(ends.0 - 1.0..ends.1 + 1.0, (LEAST_COUNT..most).log_scale())?;
        axes!(chart, "log2 of magnitude", "numbers")
            .disable_x_mesh()
            .x_label_formatter(&whole)
            .y_label_formatter(&|y| format!("{y:.0e}"))
            .draw()?;
        let bars = (binades.lowest..)
            .zip(&binades.counts)
            .filter(|(_, count)| **count > 0);
        chart.draw_series(bars.map(|(exponent, &count)| {
            let place = f64::from(exponent);
            Rectangle::new(
                [(place + 0.05, LEAST_COUNT), (place + 0.95, count as f64)],
                BLUE.filled(),
            )
        }))?;
        for (place, style) in logs.into_iter().flatten().zip([ORANGE, GREY, RED]) {
            let line = PathElement::new(
                vec![(place, LEAST_COUNT), (place, most)],
                style.stroke_width(2),
            );
            chart.draw_series([line])?;
        }
        Ok(())
    })
}

/// Numbers in bins of equal width: original ones as bars, quantised ones as a line.
pub(super) fn histograms(original: &Histogram, quantised: &Histogram) -> Result<String, CliError> {
    let (min, max) = (
        original.min.min(quantised.min),
        original.max.max(quantised.max),
    );
    let (min, max) = match min < max {
        true => (min, max),
        false => (min - 1.0, min + 1.0),
    };
    let counts = original.counts.iter().chain(&quantised.counts);
    let most = counts.copied().max().unwrap_or(0).max(1) as f64 * 2.0;
    let edge = |histogram: &Histogram, bin: usize| {
        let width = (histogram.max - histogram.min) / histogram.counts.len() as f64;
        histogram.min + width * bin as f64
    };
    let height = |count: u64| (count as f64).max(LEAST_COUNT);
    svg(HALF, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(58)
            .build_cartesian_2d(min..max, (LEAST_COUNT..most).log_scale())?;
        axes!(chart, "number", "numbers")
            .disable_x_mesh()
            .y_label_formatter(&|y| format!("{y:.0e}"))
            .draw()?;
        let bars = original
            .counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        chart.draw_series(bars.map(|(bin, &count)| {
            let ends = [
                (edge(original, bin), LEAST_COUNT),
                (edge(original, bin + 1), height(count)),
            ];
            Rectangle::new(ends, BLUE.mix(0.6).filled())
        }))?;
        let steps = quantised
            .counts
            .iter()
            .enumerate()
            .flat_map(|(bin, &count)| {
                [
                    (edge(quantised, bin), height(count)),
                    (edge(quantised, bin + 1), height(count)),
                ]
            });
        chart.draw_series(LineSeries::new(steps, ORANGE.stroke_width(2)))?;
        Ok(())
    })
}

/// A scale for each channel or column.
pub(super) fn scales(scales: &[f32], of: &str) -> Result<String, CliError> {
    let logs: Vec<f64> = scales
        .iter()
        .map(|&scale| f64::from(scale).log2())
        .collect();
    let (least, most) = ends(logs.iter().copied());
    svg(HALF, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(58)
            .build_cartesian_2d(0.0..logs.len().max(2) as f64 - 1.0, least..most)?;
        axes!(chart, of, "log2 of scale")
            .disable_x_mesh()
            .x_label_formatter(&whole)
            .draw()?;
        let points = logs.iter().enumerate().filter(|(_, log)| log.is_finite());
        let points: Vec<_> = points.map(|(i, &log)| (i as f64, log)).collect();
        chart.draw_series(
            points
                .iter()
                .map(|&point| Circle::new(point, 2, BLUE.filled())),
        )?;
        Ok(())
    })
}
