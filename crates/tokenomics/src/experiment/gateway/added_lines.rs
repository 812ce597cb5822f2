//! What is added, in words: by the kernel's stamps and as a client sees it, over starts, with what sets those apart.

use super::names::Names;
use super::placement::{Pair, Placement};
use super::results::{AddedBoth, Results, StartView};
use stats::{Added, Estimate, StreamHarm, Told};
use std::fmt::Write;

/// Of the looks at who runs where, so many make a habit.
const MOSTLY: f64 = 0.8;

/// A client that takes so many times as long to be woken through the gateway says why the two figures differ.
const WAKES_SLOWLIER: f64 = 1.2;

/// A unit in which a span is read, and its size in milliseconds.
fn unit(ms: f64) -> (&'static str, f64, usize) {
    match ms.abs() {
        ms if ms >= 1.0 => ("ms", 1.0, 2),
        ms if ms >= 1e-3 => ("µs", 1e-3, 1),
        _ => ("ns", 1e-6, 0),
    }
}

fn in_unit(ms: f64, (_, size, digits): (&str, f64, usize)) -> String {
    let text = format!("{:.digits$}", ms / size);
    // What rounds to nothing has no sign.
    let is_nothing = text
        .trim_start_matches('-')
        .chars()
        .all(|c| "0.".contains(c));
    text.trim_start_matches(if is_nothing { "-" } else { "" })
        .to_owned()
}

/// In nanoseconds below a microsecond, in microseconds below a millisecond.
fn span(ms: f64) -> String {
    let unit = unit(ms);
    format!("{} {}", in_unit(ms, unit), unit.0)
}

/// All in one unit, in which the largest of them shows.
pub(super) fn estimate(estimate: Estimate) -> String {
    let Some(interval) = estimate.interval else {
        return format!("{} [too few]", span(estimate.value));
    };
    let largest = [interval.low, interval.high].map(f64::abs);
    let unit = unit(estimate.value.abs().max(largest[0]).max(largest[1]));
    let [value, low, high] =
        [estimate.value, interval.low, interval.high].map(|ms| in_unit(ms, unit));
    format!("{value} {} [{low}, {high}]", unit.0)
}

/// Everything that is said of added latency.
pub(super) fn write(text: &mut String, names: &Names<'_>, results: &Results) {
    let Some(whole) = &results.whole else { return };
    let starts = results.starts.len();
    let _ = writeln!(
        text,
        "\n=== Latency added by {}, one request at a time, {} ===",
        names.gateway,
        if starts == 1 {
            "one start".to_owned()
        } else {
            format!("mean of {starts} starts")
        }
    );
    table(text, results, whole);
    let quantiles = ["p50", "p95", "p99"].iter().zip(whole.arrived.quantiles);
    let quantiles: Vec<String> = quantiles
        .map(|(name, difference)| format!("{name} {}", estimate(difference)))
        .collect();
    let _ = writeln!(
        text,
        "Whole answers, through − direct: {}",
        quantiles.join(" · ")
    );
    let _ = writeln!(text, "{}", conclusion(names.gateway, whole, results));
    let _ = writeln!(text, "{}", two_figures(names.gateway, whole, results));
    each_start(text, results);
    streams(text, names, results);
    if let (Some([p50, p95, p99]), Some(rate)) = (results.at_rate, names.rate) {
        let _ = writeln!(
            text,
            "At {rate} requests/s, from when each was due: p50 {} · p95 {} · p99 {}",
            estimate(p50),
            estimate(p95),
            estimate(p99)
        );
    }
    markdown(text, results, whole);
}

fn rows<'a>(
    results: &'a Results,
    whole: &'a AddedBoth,
) -> impl Iterator<Item = (&'static str, &'a AddedBoth)> {
    let streams = results.streams.iter().flatten();
    std::iter::once(("whole answer", whole)).chain(streams.map(|(name, both)| (*name, both)))
}

fn table(text: &mut String, results: &Results, whole: &AddedBoth) {
    let mut row = |name: &str, cells: [String; 5]| {
        let [direct, through, added, client, floor] = cells;
        let line = format!("{name:<14}{direct:>11}{through:>11}  {added:<24}{client:<24}{floor}");
        let _ = writeln!(text, "{}", line.trim_end());
    };
    row(
        "",
        [
            "direct",
            "through",
            "added, 95 % interval",
            "a client sees",
            "direct twice (the floor)",
        ]
        .map(str::to_owned),
    );
    for (name, both) in rows(results, whole) {
        let cells = [
            span(both.arrived.direct_p50),
            span(both.arrived.through_p50),
            estimate(both.arrived.paired_median),
            estimate(both.read.paired_median),
            estimate(both.arrived.floor),
        ];
        row(name, cells);
    }
}

fn conclusion(gateway: &str, whole: &AddedBoth, results: &Results) -> String {
    let added = &whole.arrived;
    let starts = added.starts.len();
    let over = format!(
        "{} turns in {starts} start{}",
        added.turns,
        if starts == 1 { "" } else { "s" }
    );
    let said = match added.told {
        Told::Adds => format!(
            "{gateway} adds {} ({over}).",
            span(added.paired_median.value)
        ),
        Told::Saves => format!(
            "Through {gateway} answers come {} sooner ({over}).",
            span(-added.paired_median.value)
        ),
        Told::Nothing => format!(
            "What {gateway} adds cannot be told from nothing on this machine ({over}): ask longer with \
             --added-seconds, or more often with --starts."
        ),
        Told::TooFew => format!(
            "{over} are too few to say what {gateway} adds; ask longer with --added-seconds."
        ),
    };
    let limit = match (starts, results.gateway_is_new) {
        (1, true) => {
            " The interval holds within this one start; the next one may differ by more (--starts)."
        }
        (1, false) => {
            " The interval holds within this one start of the gateway and of this client; the next one may differ by more \
             (--starts)."
        }
        (_, true) => "",
        (_, false) => {
            " It ran already, so that only our connections and threads were new in each start: the interval holds within \
             this one start of the gateway."
        }
    };
    said + limit
}

/// Why there are two figures, and what lies between them.
fn two_figures(gateway: &str, whole: &AddedBoth, results: &Results) -> String {
    if !results.kernel_stamps {
        return "The kernel does not say when bytes arrive, so what is added is what a client sees.".to_owned();
    }
    let seen = span(whole.read.paired_median.value);
    let meaning = format!(
        "A client sees {seen}: from before it writes until its read has returned. What is added ends before, when the \
         answer is at this machine's socket"
    );
    let mean = |of: fn(&StartView) -> Option<f64>| {
        let known: Vec<f64> = results.starts.iter().filter_map(of).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let (Some(direct), Some(through)) =
        (mean(|start| start.woken[0]), mean(|start| start.woken[1]))
    else {
        return meaning + ".";
    };
    // Whom nobody shares its processor with leaves it asleep while it waits.
    let is_alone = results.starts.iter().all(|start| {
        let alone = |pair| {
            let together = start.placement.together(pair);
            together.is_none_or(|share| share < 1.0 - MOSTLY)
        };
        start.placement.usual().is_some() && alone(Pair::ClientMock) && alone(Pair::ClientGateway)
    });
    let why = if is_alone && through > direct * WAKES_SLOWLIER {
        ": its processor has nothing else to do, and falls asleep while it waits"
    } else {
        ""
    };
    format!(
        "{meaning}; until the client's thread is woken and has read it, another {} go by directly and {} through \
         {gateway}{why}.",
        span(direct),
        span(through)
    )
}

/// What each start says and who ran where, and which kinds of starts there are.
fn each_start(text: &mut String, results: &Results) {
    let header = "start      direct    through      added  a client sees  woken: direct  through  processors";
    let _ = writeln!(text, "\n{header}");
    for start in &results.starts {
        let [direct, through] = start
            .woken
            .map(|woken| woken.map_or_else(|| "–".to_owned(), span));
        let _ = writeln!(
            text,
            "{:<7}{:>10}{:>11}{:>11}{:>15}{:>15}{:>9}  {}",
            start.arrived.start + 1,
            span(start.arrived.direct_p50),
            span(start.arrived.through_p50),
            span(start.arrived.paired_median),
            span(start.read.paired_median),
            direct,
            through,
            processors(&start.placement)
        );
    }
    let kinds = results.starts.iter().map(|start| start.regime).max();
    let Some(kinds) = kinds.filter(|kinds| *kinds > 0) else {
        return;
    };
    let _ = writeln!(
        text,
        "The starts are of {} kinds, and the interval holds over their mixture:",
        kinds + 1
    );
    for kind in 0..=kinds {
        let of_kind = |start: &&StartView| start.regime == kind;
        let starts: Vec<&StartView> = results.starts.iter().filter(of_kind).collect();
        let _ = writeln!(text, "  {}", regime(&starts));
    }
}

fn regime(starts: &[&StartView]) -> String {
    let numbers: Vec<String> = starts
        .iter()
        .map(|start| (start.arrived.start + 1).to_string())
        .collect();
    let range = |of: fn(&StartView) -> f64| range(starts.iter().map(|start| of(start)));
    let woken = |way: usize| -> Option<String> {
        let woken: Option<Vec<f64>> = starts.iter().map(|start| start.woken[way]).collect();
        Some(self::range(woken?.into_iter()))
    };
    let woken = woken(0).zip(woken(1)).map(|(direct, through)| {
        format!("; to wake the client took {direct} directly, {through} through the gateway")
    });
    format!(
        "{} {}: direct answers took {}, the gateway added {}, a client saw {}{}{}.",
        if starts.len() == 1 { "start" } else { "starts" },
        numbers.join(", "),
        range(|start| start.arrived.direct_p50),
        range(|start| start.arrived.paired_median),
        range(|start| start.read.paired_median),
        woken.unwrap_or_default(),
        who_shares(starts)
    )
}

/// From the least to the most, in one unit.
fn range(values: impl Iterator<Item = f64>) -> String {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let unit = unit(high);
    match (in_unit(low, unit), in_unit(high, unit)) {
        (low, high) if low == high => format!("{high} {}", unit.0),
        (low, high) => format!("{low} to {high} {}", unit.0),
    }
}

/// Who mostly had one processor with whom, in all of these starts; nothing where that is not known.
fn who_shares(starts: &[&StartView]) -> String {
    let pairs = [
        (Pair::ClientMock, "the client and the mock"),
        (Pair::ClientGateway, "the client and the gateway"),
        (Pair::MockGateway, "the mock and the gateway"),
    ];
    let in_all = |pair, holds: fn(f64) -> bool| {
        let mut together = starts.iter().map(|start| start.placement.together(pair));
        together.all(|share| share.is_some_and(holds))
    };
    let shared: Vec<&str> = pairs
        .iter()
        .filter(|(pair, _)| in_all(*pair, |share| share >= MOSTLY))
        .map(|(_, words)| *words)
        .collect();
    match &shared[..] {
        [_, _, _] => "; all of them shared one processor".to_owned(),
        [] if pairs
            .iter()
            .all(|(pair, _)| in_all(*pair, |share| share <= 1.0 - MOSTLY)) =>
        {
            "; nobody shared a processor".to_owned()
        }
        [] => String::new(),
        shared => format!("; {} shared a processor", shared.join(", and ")),
    }
}

fn processors(placement: &Placement) -> String {
    let Some((usual, share)) = placement.usual() else {
        return "not known".to_owned();
    };
    let sleeps = placement.sleeps;
    let one = |name: &str, processor: Option<u32>, sleeps: Option<f64>| {
        let sleeps = sleeps.map_or_else(String::new, |sleeps| format!(", sleeps {sleeps:.1}×"));
        processor.map(|processor| format!("{name} {processor}{sleeps}"))
    };
    let all = [
        one("client", usual.client, sleeps.client),
        one("mock", usual.mock, sleeps.mock),
        one("gateway", usual.gateway, sleeps.gateway),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    format!("{} ({:.0} % of looks)", all.join(" · "), share * 100.0)
}

fn streams(text: &mut String, names: &Names<'_>, results: &Results) {
    let Some((direct, through)) = results.shapes else {
        return;
    };
    let _ = writeln!(
        text,
        "Streams: {:.1} events in {:.1} reads over {} direct; {:.1} in {:.1} over {} through.",
        direct.events,
        direct.reads,
        span(direct.spread_ms),
        through.events,
        through.reads,
        span(through.spread_ms)
    );
    for harm in &results.harm {
        let sentence = match harm {
            StreamHarm::Buffered => {
                "buffers streams: tokens come all at once that were sent one after the other"
            }
            StreamHarm::Merged => "merges events: some come together that were sent apart",
            StreamHarm::Lost => "loses events",
        };
        let _ = writeln!(text, "! {} {sentence}.", names.gateway);
    }
}

/// The same table for a document.
fn markdown(text: &mut String, results: &Results, whole: &AddedBoth) {
    let _ = writeln!(
        text,
        "\nMarkdown table:\n| | direct | through | added | a client sees | direct twice |\n|---|---:|---:|---:|---:|---:|"
    );
    for (name, both) in rows(results, whole) {
        let Added {
            direct_p50,
            through_p50,
            paired_median,
            floor,
            ..
        } = &both.arrived;
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} |",
            span(*direct_p50),
            span(*through_p50),
            estimate(*paired_median),
            estimate(both.read.paired_median),
            estimate(*floor)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{StartView, estimate, regime, span, who_shares};
    use crate::experiment::gateway::placement::{Placement, Processors, Sleeps};
    use stats::{Estimate, StartAdded};

    #[test]
    fn each_span_is_in_a_unit_that_shows_it() {
        for (ms, words) in [
            (15e-6, "15 ns"),
            (-0.4e-6, "0 ns"),
            (-91e-6, "-91 ns"),
            (0.039, "39.0 µs"),
            (1.25, "1.25 ms"),
            (0.0, "0 ns"),
        ] {
            assert_eq!(span(ms), words);
        }
        let of = |value, interval: Option<(f64, f64)>| {
            estimate(Estimate {
                value,
                interval: interval.map(|(low, high)| stats::Interval { low, high }),
            })
        };
        assert_eq!(of(15e-6, Some((1e-6, 29e-6))), "15 ns [1, 29]");
        assert_eq!(of(-0.2e-3, Some((-1.8e-3, 1.4e-3))), "-0.2 µs [-1.8, 1.4]");
        assert_eq!(of(0.0365, Some((0.0287, 0.0444))), "36.5 µs [28.7, 44.4]");
        assert_eq!(of(0.0365, None), "36.5 µs [too few]");
    }

    fn start(start: usize, direct_p50: f64, added: f64) -> StartView {
        let of = |paired_median| StartAdded {
            start,
            turns: 100,
            paired_median,
            floor: 0.0,
            direct_p50,
            through_p50: direct_p50 + paired_median,
        };
        StartView {
            arrived: of(added),
            read: of(2.0 * added),
            woken: [None, None],
            placement: Placement::default(),
            regime: 0,
        }
    }

    #[test]
    fn who_shares_a_processor_is_said_where_it_is_a_habit_of_all_these_starts() {
        let on = |looks: &[(u32, u32, u32)]| {
            let look = |(client, mock, gateway): &(u32, u32, u32)| Processors {
                client: Some(*client),
                mock: Some(*mock),
                gateway: Some(*gateway),
            };
            StartView {
                placement: Placement {
                    looks: looks.iter().map(look).collect(),
                    sleeps: Sleeps::default(),
                },
                ..start(0, 0.01, 0.02)
            }
        };
        let (packed, apart, two) = (on(&[(0, 0, 0)]), on(&[(0, 1, 2)]), on(&[(0, 0, 1)]));
        assert_eq!(who_shares(&[&packed]), "; all of them shared one processor");
        assert_eq!(who_shares(&[&apart]), "; nobody shared a processor");
        assert_eq!(
            who_shares(&[&two, &packed]),
            "; the client and the mock shared a processor"
        );
        let now_and_then = on(&[(0, 0, 1), (0, 1, 2)]);
        assert_eq!(who_shares(&[&now_and_then]), "");
        // Of a gateway that ran before us nothing is known.
        assert_eq!(who_shares(&[&start(0, 0.01, 0.02)]), "");
    }

    #[test]
    fn a_kind_of_start_is_named_by_what_its_answers_took() {
        let (first, last) = (start(0, 0.0056, 0.0113), start(3, 0.0061, 0.0103));
        assert_eq!(
            regime(&[&first, &last]),
            "starts 1, 4: direct answers took 5.6 to 6.1 µs, the gateway added 10.3 to 11.3 µs, a client saw 20.6 to 22.6 µs."
        );
        assert_eq!(
            regime(&[&first]),
            "start 1: direct answers took 5.6 µs, the gateway added 11.3 µs, a client saw 22.6 µs."
        );
        let woken = StartView {
            woken: [Some(0.0029), Some(0.035)],
            ..first
        };
        assert!(
            regime(&[&woken]).ends_with(
                "22.6 µs; to wake the client took 2.9 µs directly, 35.0 µs through the gateway."
            ),
            "{}",
            regime(&[&woken])
        );
    }
}
