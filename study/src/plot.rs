//! The study as a picture.

use plotters::prelude::*;

use crate::{Area, Distance, StudyError};

/// Pixels.
const SIZE: (u32, u32) = (1440, 480);
/// Of them, those of the bars.
const BARS: u32 = 960;
/// Shown in place of zero on the logarithmic axis.
const LEAST_ULP: f64 = 1e-3;

/// Mean and largest distance of every accumulator, and beside them the mean distance against the
/// area, as an SVG. `areas` are those of the same accumulators.
///
/// # Errors
/// [`StudyError::Plot`] when the drawing library fails.
pub fn svg(title: &str, distances: &[Distance], areas: &[Area]) -> Result<String, StudyError> {
    let mut text = String::new();
    draw(&mut text, title, distances, areas)
        .map_err(|error| StudyError::Plot(error.to_string()))?;
    Ok(text)
}

fn draw(
    text: &mut String,
    title: &str,
    distances: &[Distance],
    areas: &[Area],
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(BARS);
    draw_areas(&right, distances, areas)?;
    let largest = distances.iter().map(|d| d.max_ulp).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&left)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(90)
        .y_label_area_size(70)
        .build_cartesian_2d(
            (0..distances.len()).into_segmented(),
            (LEAST_ULP..largest * 2.0).log_scale(),
        )?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .y_desc("distance from the exact sum, ulp")
        .x_labels(distances.len())
        .x_label_style(
            ("sans-serif", 12)
                .into_font()
                .transform(FontTransform::Rotate90),
        )
        .x_label_formatter(&|position| match position {
            SegmentValue::CenterOf(i) => distances
                .get(*i)
                .map_or(String::new(), |d| d.accumulator.to_owned()),
            _ => String::new(),
        })
        .draw()?;
    let bars = |value: fn(&Distance) -> f64, color: RGBColor, inset: u32| {
        distances.iter().enumerate().map(move |(i, distance)| {
            let top = value(distance).max(LEAST_ULP);
            let mut bar = Rectangle::new(
                [
                    (SegmentValue::Exact(i), LEAST_ULP),
                    (SegmentValue::Exact(i + 1), top),
                ],
                color.filled(),
            );
            bar.set_margin(0, 0, inset, inset);
            bar
        })
    };
    chart
        .draw_series(bars(|d| d.max_ulp, RGBColor(158, 188, 218), 8))?
        .label("largest")
        .legend(|(x, y)| {
            Rectangle::new(
                [(x, y - 5), (x + 10, y + 5)],
                RGBColor(158, 188, 218).filled(),
            )
        });
    chart
        .draw_series(bars(|d| d.mean_ulp, RGBColor(136, 65, 157), 20))?
        .label("mean")
        .legend(|(x, y)| {
            Rectangle::new(
                [(x, y - 5), (x + 10, y + 5)],
                RGBColor(136, 65, 157).filled(),
            )
        });
    chart
        .configure_series_labels()
        .border_style(BLACK)
        .background_style(WHITE)
        .draw()?;
    root.present()?;
    Ok(())
}

/// Mean distance against LUT4s a product, a point an accumulator.
fn draw_areas(
    panel: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    distances: &[Distance],
    areas: &[Area],
) -> Result<(), Box<dyn std::error::Error>> {
    let largest = distances.iter().map(|d| d.mean_ulp).fold(1.0, f64::max);
    let widest = areas.iter().map(|area| area.luts_a_mac).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(panel)
        .caption("error against area", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(
            0.0..widest * 1.25,
            (LEAST_ULP / 2.0..largest * 2.0).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc("LUT4 a MAC, ECP5")
        .y_desc("mean distance, ulp")
        .draw()?;
    let points = distances.iter().zip(areas).map(|(distance, area)| {
        let place = (area.luts_a_mac, distance.mean_ulp.max(LEAST_ULP));
        let name = Text::new(distance.accumulator, (6, -6), ("sans-serif", 11));
        EmptyElement::at(place) + Circle::new((0, 0), 3, RGBColor(136, 65, 157).filled()) + name
    });
    chart.draw_series(points)?;
    Ok(())
}
