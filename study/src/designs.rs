//! Designs side by side, as a picture.

use plotters::prelude::*;

use crate::StudyError;

/// Pixels of a panel: its width, a design's height, and what is above and below.
const PANEL: u32 = 330;
const NAMES: u32 = 150;
const DESIGN: u32 = 26;
const FRAME: u32 = 110;

/// One quantity of every design.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Its name, with the unit.
    pub title: &'static str,
    /// Its value for each design; `None` where it is not known.
    pub values: Vec<Option<f64>>,
}

/// Bars of every design in each of the panels, as an SVG.
///
/// # Errors
/// [`StudyError::Plot`] when the drawing library fails.
pub fn designs_svg(title: &str, names: &[String], panels: &[Panel]) -> Result<String, StudyError> {
    let mut text = String::new();
    draw(&mut text, title, names, panels).map_err(|error| StudyError::Plot(error.to_string()))?;
    Ok(text)
}

fn draw(
    text: &mut String,
    title: &str,
    names: &[String],
    panels: &[Panel],
) -> Result<(), Box<dyn std::error::Error>> {
    let width = NAMES + PANEL * panels.len() as u32;
    let height = FRAME + DESIGN * names.len() as u32;
    let root = SVGBackend::with_string(text, (width, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled(title, ("sans-serif", 18))?;
    let (mut first, mut rest) = root.split_horizontally(NAMES + PANEL);
    for (i, panel) in panels.iter().enumerate() {
        if i > 0 {
            (first, rest) = rest.split_horizontally(PANEL);
        }
        draw_panel(&first, names, panel, i == 0)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    names: &[String],
    panel: &Panel,
    is_first: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let largest = panel.values.iter().flatten().copied().fold(0.0, f64::max);
    let end = if largest > 0.0 { largest * 1.35 } else { 1.0 };
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 14))
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(if is_first { NAMES } else { 4 })
        .build_cartesian_2d(0.0..end, (0..names.len()).into_segmented())?;
    // The first design on top.
    let place = |i: usize| names.len() - 1 - i;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_labels(4)
        .y_labels(names.len())
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|position| match position {
            SegmentValue::CenterOf(i) if is_first => {
                let i = names.len().checked_sub(i + 1);
                i.and_then(|i| names.get(i)).cloned().unwrap_or_default()
            }
            _ => String::new(),
        })
        .draw()?;
    chart.draw_series(panel.values.iter().enumerate().filter_map(|(i, value)| {
        let corners = [
            (0.0, SegmentValue::Exact(place(i))),
            ((*value)?, SegmentValue::Exact(place(i) + 1)),
        ];
        let mut bar = Rectangle::new(corners, RGBColor(136, 65, 157).filled());
        bar.set_margin(4, 4, 0, 0);
        Some(bar)
    }))?;
    chart.draw_series(panel.values.iter().enumerate().map(|(i, value)| {
        let text = value.map_or("not known".to_owned(), short);
        let at = (value.unwrap_or(0.0), SegmentValue::CenterOf(place(i)));
        EmptyElement::at(at) + Text::new(text, (5, -6), ("sans-serif", 12))
    }))?;
    Ok(())
}

/// A number in a few characters.
fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if !(1e-3..1e5).contains(&value) => format!("{value:.1e}"),
        value if value < 10.0 => format!("{value:.3}"),
        value => format!("{value:.0}"),
    }
}
