//! A measurement over time: what came, what was in flight, how long it took, and when the client was
//! disturbed.

use super::canvas::Canvas;
use super::header::{self, Header};
use super::labels::Rect;
use super::page::{MARGIN, WIDTH};
use super::palette::{self, look, size};
use super::plane::{Plane, Rise, Series};
use super::scale::{LinearScale, YScale};
use crate::{Axis, ReportError, escape, style};
use plotters::style::text_anchor::HPos;
use stats::{Grade, Summary, Timeline, TimelineBin, TimelineRun};

const HEIGHT: u32 = 1300;
/// The row with the names of the points, and the one with the meaning of the shades.
const POINTS_HEIGHT: f64 = 40.0;
const SHADES_HEIGHT: f64 = 40.0;
const PANELS: f64 = 3.0;
/// Between the ticks of a panel and the title of the next.
const GAP: f64 = 16.0;

/// The figure of one measurement, 1600 wide. Equal measurements give equal bytes.
///
/// # Errors
/// The drawing libraries refuse.
pub fn timeline_svg(timeline: &Timeline, summary: &Summary) -> Result<String, ReportError> {
    let mut out = String::new();
    let canvas = Canvas::new(&mut out, (WIDTH, HEIGHT))?;
    let top = heading(summary).draw(&canvas, f64::from(WIDTH), MARGIN)?;
    let top = shades(&canvas, timeline, top + 14.0)?;
    let x = LinearScale::new(0.0, timeline.seconds);
    let panels = panels(timeline);
    let tick_width = panels.iter().map(|panel| panel.rise().tick_width());
    let tick_width = tick_width.fold(0.0, f64::max);
    let first = top + POINTS_HEIGHT;
    let name_height = Plane::room_for_name();
    let height = (f64::from(HEIGHT) - MARGIN / 2.0 - name_height - first) / PANELS;
    let mut plots = Vec::new();
    for (index, panel) in panels.iter().enumerate() {
        let slot = Rect {
            left: MARGIN,
            top: first + height * index as f64,
            right: f64::from(WIDTH) - MARGIN,
            bottom: first + height * (index + 1) as f64 - GAP,
        };
        let plane = Plane::new(&canvas, &x, panel.rise(), slot, tick_width);
        let is_last = index + 1 == panels.len();
        panel.draw(&plane, timeline, is_last.then_some("seconds"))?;
        plots.push(plane.plot());
    }
    points(&canvas, timeline, summary, &x, &plots, top)?;
    canvas.finish()?;
    Ok(out)
}

fn heading(summary: &Summary) -> Header {
    let text = |key: &str| {
        let value = summary.metadata.get(key).and_then(|value| value.as_str());
        value.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let title = header::named(&[&text("model"), &text("description")]);
    let grade = summary.verdict.grade;
    let words = format!("measurement {}: see result file", style::word(grade));
    let doubt = (grade != Grade::Valid).then_some((grade, words));
    Header {
        title: escape::terminal(if title.is_empty() {
            "Over time"
        } else {
            &title
        }),
        warnings: doubt.into_iter().collect(),
        labels: Vec::new(),
        notes: Vec::new(),
    }
}

/// What the shades and crosses mean, of those that there are; gives the height below them.
fn shades(canvas: &Canvas, timeline: &Timeline, top: f64) -> Result<f64, ReportError> {
    let disturbed = timeline.disturbed.len();
    let warm = timeline.runs.iter().any(|run| run.warmup);
    let bins = timeline.runs.iter().flat_map(|run| &run.bins);
    let failed: u64 = bins.map(|bin| bin.failed).sum();
    let seconds = if disturbed == 1 { "second" } else { "seconds" };
    let entries = [
        (disturbed > 0).then(|| {
            let words = format!("{disturbed} {seconds} in which this machine disturbed the client");
            (palette::DISTURBED, words)
        }),
        warm.then(|| (palette::WARMUP, "warm-up, in no number".to_owned())),
    ];
    let y = top + SHADES_HEIGHT / 2.0;
    let mut x = MARGIN;
    for (color, words) in entries.into_iter().flatten() {
        let swatch = Rect::around((x + 14.0, y), 28.0, 22.0);
        canvas.fill(swatch, color)?;
        x += 38.0;
        canvas.text(&words, (x, y), size::TICK, palette::MUTED, HPos::Left)?;
        x += Canvas::width(&words, size::TICK) + 40.0;
    }
    if failed > 0 {
        canvas.cross((x + 8.0, y), 6.0, palette::INVALID)?;
        let words = if failed == 1 {
            "1 request failed".to_owned()
        } else {
            format!("{} requests failed", crate::number::count(failed))
        };
        canvas.text(
            &words,
            (x + 26.0, y),
            size::TICK,
            palette::MUTED,
            HPos::Left,
        )?;
    }
    let is_empty = disturbed == 0 && !warm && failed == 0;
    Ok(if is_empty { top } else { top + SHADES_HEIGHT })
}

/// One quantity over time.
struct Panel {
    title: String,
    lines: Vec<Line>,
    is_latency: bool,
}

/// Moments and values, in the order of time.
type Values = Vec<(f64, f64)>;

/// A series, and its values of a run.
struct Line {
    series: Series,
    values: fn(&TimelineRun) -> Values,
    highest: f64,
}

impl Panel {
    fn rise(&self) -> Rise {
        let highest = self.lines.iter().map(|line| line.highest);
        Rise::Linear(YScale::new(highest.fold(0.0, f64::max)))
    }

    fn draw(
        &self,
        plane: &Plane,
        timeline: &Timeline,
        axis: Option<&str>,
    ) -> Result<(), ReportError> {
        for run in timeline.runs.iter().filter(|run| run.warmup) {
            plane.shade(run.from, run.to, palette::WARMUP)?;
        }
        for &(from, to) in &timeline.disturbed {
            plane.shade(from, to, palette::DISTURBED)?;
        }
        let key: Vec<Series> = self.lines.iter().map(|line| line.series).collect();
        plane.title(&self.title, if key.len() > 1 { &key } else { &[] })?;
        plane.axes(axis)?;
        for run in &timeline.runs {
            for line in self.lines.iter().rev() {
                plane.line(&(line.values)(run), line.series)?;
            }
            if self.is_latency {
                for bin in run.bins.iter().filter(|bin| bin.failed > 0) {
                    plane.cross(bin.at, palette::INVALID)?;
                }
            }
        }
        Ok(())
    }
}

fn panels(timeline: &Timeline) -> [Panel; 3] {
    let line = |name, index: usize, dashed, values: fn(&TimelineRun) -> Values| {
        let all = timeline.runs.iter().flat_map(values);
        Line {
            highest: all.map(|(_, value)| value).fold(0.0, f64::max),
            series: Series {
                name,
                color: look(index).color,
                dashed,
            },
            values,
        }
    };
    let what = if timeline.tokens {
        "Output tokens"
    } else {
        "Answers"
    };
    let looked = [
        line("server: running", 2, true, |run| {
            looks(run, |look| look.running)
        }),
        line("server: waiting", 1, true, |run| {
            looks(run, |look| look.waiting)
        }),
    ];
    let is_seen = |line: &Line| {
        let mut runs = timeline.runs.iter();
        runs.any(|run| !(line.values)(run).is_empty())
    };
    let in_flight = line("in flight", 0, false, |run| {
        bins(run, |bin| Some(bin.in_flight))
    });
    let latency = if timeline.streams {
        "Time to first token (ms)"
    } else {
        "End-to-end latency (ms)"
    };
    [
        Panel {
            title: format!("{what} per second"),
            lines: vec![line("rate", 0, false, |run| {
                bins(run, |bin| Some(bin.rate))
            })],
            is_latency: false,
        },
        Panel {
            title: "Requests".to_owned(),
            lines: std::iter::once(in_flight)
                .chain(looked.into_iter().filter(is_seen))
                .collect(),
            is_latency: false,
        },
        Panel {
            title: latency.to_owned(),
            lines: vec![
                line("median", 0, false, |run| bins(run, |bin| bin.latency_p50)),
                line("longest", 1, true, |run| bins(run, |bin| bin.latency_max)),
            ],
            is_latency: true,
        },
    ]
}

fn bins(run: &TimelineRun, value: fn(&TimelineBin) -> Option<f64>) -> Values {
    let bins = run.bins.iter();
    bins.filter_map(|bin| Some((bin.at, value(bin)?))).collect()
}

fn looks(run: &TimelineRun, value: fn(&stats::ServerLook) -> Option<f64>) -> Values {
    let looks = run.server.iter();
    looks
        .filter_map(|look| Some((look.at, value(look)?)))
        .collect()
}

/// Where the runs of each point begin, with its name where there is room.
fn points(
    canvas: &Canvas,
    timeline: &Timeline,
    summary: &Summary,
    x: &LinearScale,
    plots: &[Rect],
    top: f64,
) -> Result<(), ReportError> {
    let Some(plot) = plots.first() else {
        return Ok(());
    };
    let at = |seconds: f64| plot.left + x.share(seconds) * plot.width();
    for group in timeline.runs.chunk_by(|a, b| a.point == b.point) {
        let [first, .., last] = [&group[0], &group[group.len() - 1]];
        let (left, right) = (at(first.from), at(last.to));
        if first.from > 0.0 {
            for plot in plots {
                canvas.line(&[(left, plot.top), (left, plot.bottom)], palette::AXIS, 1)?;
            }
        }
        let points = summary.points.iter();
        let known = points
            .map(|point| &point.point)
            .find(|point| point.key == first.point);
        let short = escape::terminal(&first.point);
        let long = known.map(|point| format!("{} {short}", Axis::of(&point.pacing).name()));
        let fits = |name: &String| Canvas::width(name, size::TICK) + 8.0 <= right - left;
        let middle = (f64::midpoint(left, right), top + POINTS_HEIGHT / 2.0);
        if let Some(name) = long.into_iter().chain([short]).find(fits) {
            canvas.text(&name, middle, size::TICK, palette::MUTED, HPos::Center)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::timeline_svg;
    use crate::example;
    use crate::figure::png;
    use stats::{ServerLook, Timeline, TimelineBin, TimelineRun};

    fn timeline() -> Timeline {
        let run = |point: &str, warmup, from: f64, to: f64| TimelineRun {
            point: point.to_owned(),
            warmup,
            from,
            to,
            bins: (0..4)
                .map(|number| TimelineBin {
                    at: from + (to - from) * (f64::from(number) + 0.5) / 4.0,
                    rate: 100.0,
                    in_flight: 8.0,
                    latency_p50: (number > 0).then_some(50.0),
                    latency_max: (number > 0).then_some(90.0),
                    failed: 0,
                })
                .collect(),
            server: Vec::new(),
        };
        Timeline {
            seconds: 20.0,
            bin_seconds: 2.5,
            streams: true,
            tokens: true,
            disturbed: Vec::new(),
            runs: vec![run("8", false, 0.0, 10.0), run("64", false, 10.0, 20.0)],
        }
    }

    #[test]
    fn what_there_is_is_drawn_and_named_and_nothing_else() {
        let summary = example::summary();
        let plain = timeline_svg(&timeline(), &summary).unwrap();
        for text in [
            "distill-llama-8b",
            "batch size 64",
            "Output tokens per second",
            "Time to first token (ms)",
            ">\nin flight\n<",
        ] {
            assert_eq!(plain.contains(text), text != ">\nin flight\n<", "{text}");
        }
        for text in ["warm-up", "disturbed the client", "failed", "server:"] {
            assert!(!plain.contains(text), "{text}");
        }
        let mut eventful = timeline();
        eventful.disturbed = vec![(3.0, 4.0)];
        eventful.runs[0].warmup = true;
        eventful.runs[1].bins[2].failed = 3;
        eventful.runs[1].server = vec![ServerLook {
            at: 12.0,
            running: Some(5.0),
            waiting: None,
        }];
        let figure = timeline_svg(&eventful, &summary).unwrap();
        for text in [
            "1 second in which this machine disturbed the client",
            "warm-up, in no number",
            "3 requests failed",
            "server: running",
            ">\nin flight\n<",
        ] {
            assert!(figure.contains(text), "{text}");
        }
        assert!(!figure.contains("server: waiting"));
        assert_eq!(png(&figure).unwrap()[..8], *b"\x89PNG\r\n\x1a\n");
    }

    #[test]
    fn answers_that_are_no_streams_and_no_tokens_are_named_as_what_they_are() {
        let other = Timeline {
            streams: false,
            tokens: false,
            ..timeline()
        };
        let figure = timeline_svg(&other, &example::summary()).unwrap();
        assert!(
            figure.contains("Answers per second") && figure.contains("End-to-end latency (ms)")
        );
    }

    #[test]
    fn a_name_cannot_become_markup_and_a_moment_is_drawn_too() {
        let mut hostile = timeline();
        hostile.runs[1].point = format!("<script>{}", example::HOSTILE);
        hostile.seconds = 0.0;
        hostile.runs[0].bins.truncate(1);
        let figure = timeline_svg(&hostile, &example::summary()).unwrap();
        assert!(!figure.contains("<script") && !figure.contains("NaN"));
        assert!(png(&figure).is_ok());
    }
}
