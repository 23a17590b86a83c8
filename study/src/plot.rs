//! The study as a picture.

use plotters::prelude::*;

use crate::{Distance, StudyError};

/// Pixels.
const SIZE: (u32, u32) = (960, 480);
/// Shown in place of zero on the logarithmic axis.
const LEAST_ULP: f64 = 1e-3;

/// Mean and largest distance of every accumulator, as an SVG.
///
/// # Errors
/// [`StudyError::Plot`] when the drawing library fails.
pub fn svg(title: &str, distances: &[Distance]) -> Result<String, StudyError> {
    let mut text = String::new();
    draw(&mut text, title, distances).map_err(|error| StudyError::Plot(error.to_string()))?;
    Ok(text)
}

fn draw(
    text: &mut String,
    title: &str,
    distances: &[Distance],
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let largest = distances.iter().map(|d| d.max_ulp).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&root)
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
