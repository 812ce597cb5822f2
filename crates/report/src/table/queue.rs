//! That a server's queue may move too slowly for the runs that measured it, and what would help.

use crate::number::with_decimals;
use stats::{PointSummary, SlowQueue};
use trace::{Arrival, Pacing};

/// One sentence; nothing where the queue moved fast enough, or none was seen.
pub(super) fn slow(point: &PointSummary) -> Option<String> {
    let slow = point.slow_queue.as_ref()?;
    let percent = |share: f64| format!("{} %", with_decimals(share * 100.0, 0));
    let (were, off) = (
        if point.runs == 1 {
            "this run was"
        } else {
            "these runs were"
        },
        percent(slow.reach),
    );
    let (time, aim) = (time(point, slow), percent(slow.aim));
    let helps = if slow.at_least {
        format!("to tell it to {aim} takes {time} or more")
    } else {
        format!("about {time} would tell it to {aim}")
    };
    Some(format!(
        "The queue may move more slowly than {were} long: {} can be off by {off}; {helps}.",
        name(slow)
    ))
}

/// `40 s (--duration 40)`; the flag is that of a single run.
fn time(point: &PointSummary, slow: &SlowQueue) -> String {
    let seconds = with_decimals(slow.seconds_needed, 0);
    if point.runs != 1 {
        return format!("{seconds} s over all runs");
    }
    if takes_duration(point.point.pacing) {
        return format!("{seconds} s (--duration {:.0})", slow.seconds_needed);
    }
    format!("{seconds} s")
}

/// Whether the load of a longer run is the same: a ramp comes to its end, and a trace has one.
fn takes_duration(pacing: Pacing) -> bool {
    match pacing {
        Pacing::Burst { .. } => false,
        Pacing::Closed { .. } => true,
        Pacing::Open { arrival, .. } => !matches!(
            arrival,
            Arrival::Ramp { .. } | Arrival::Steps { .. } | Arrival::Replay { .. }
        ),
    }
}

/// `TTFT p50`, as the table above it writes it.
fn name(slow: &SlowQueue) -> String {
    let name = slow.metric.to_string().replace('.', " ");
    match name.strip_prefix("ttft") {
        Some(statistic) => format!("TTFT{statistic}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::slow;
    use crate::{Style, example, html, results_json, text};
    use stats::{PointSummary, SlowQueue, Summary};
    use trace::{Arrival, Gaps, Nanos, Pacing};

    fn with(pacing: Pacing, runs: u32, change: impl FnOnce(&mut SlowQueue)) -> PointSummary {
        let mut point = example::open_loop().points.remove(0);
        point.point.pacing = pacing;
        point.runs = runs;
        let mut queue = SlowQueue {
            metric: "ttft.p50".parse().unwrap(),
            reach: 0.4,
            aim: 0.1,
            seconds_needed: 1_200.0,
            at_least: false,
        };
        change(&mut queue);
        point.slow_queue = Some(queue);
        point
    }

    fn open(arrival: Arrival) -> Pacing {
        Pacing::Open {
            arrival,
            max_concurrency: None,
        }
    }

    fn said(pacing: Pacing, runs: u32, change: impl FnOnce(&mut SlowQueue)) -> String {
        slow(&with(pacing, runs, change)).unwrap()
    }

    const STEADY: Arrival = Arrival::Poisson { rate: 8.0 };

    #[test]
    fn a_slow_queue_says_how_far_off_the_median_may_be_and_which_flag_helps() {
        assert_eq!(
            said(open(STEADY), 1, |_| ()),
            "The queue may move more slowly than this run was long: TTFT p50 can be off by 40 %; \
             about 1,200 s (--duration 1200) would tell it to 10 %."
        );
        let without_streams = |queue: &mut SlowQueue| queue.metric = "e2e.p50".parse().unwrap();
        let closed = said(Pacing::Closed { concurrency: 8 }, 1, without_streams);
        assert!(closed.contains(": e2e p50 can be off by 40 %; about 1,200 s (--duration 1200) "));
    }

    #[test]
    fn no_flag_is_named_that_the_load_does_not_have() {
        let ramp = Arrival::Ramp {
            from: 1.0,
            to: 8.0,
            duration: Nanos::from_millis(30_000),
            gaps: Gaps::Exponential,
        };
        let helps = "; about 1,200 s would tell it to 10 %.";
        let said_of_ramp = said(open(ramp), 1, |_| ());
        assert!(said_of_ramp.ends_with(helps), "{said_of_ramp}");
        // What --duration says is the length of each run.
        let of_three = said(open(STEADY), 3, |_| ());
        assert!(of_three.contains("than these runs were long"), "{of_three}");
        let helps = "; about 1,200 s over all runs would tell it to 10 %.";
        assert!(of_three.ends_with(helps), "{of_three}");
    }

    #[test]
    fn what_may_take_longer_is_not_promised() {
        let much_too_short = |queue: &mut SlowQueue| {
            queue.reach = 1.6;
            queue.at_least = true;
        };
        assert_eq!(
            said(open(STEADY), 1, much_too_short),
            "The queue may move more slowly than this run was long: TTFT p50 can be off by 160 %; \
             to tell it to 10 % takes 1,200 s (--duration 1200) or more."
        );
    }

    #[test]
    fn the_fact_is_in_the_result_file_of_the_points_that_have_it() {
        let mut summary = example::open_loop();
        let key = summary.points[0].point.key.clone();
        let written = |summary: &Summary| -> serde_json::Value {
            serde_json::from_str(&results_json(summary)).unwrap()
        };
        let calm = &written(&summary)["results"][&key];
        assert!(calm.is_object() && calm.get("slow_queue").is_none());
        summary.points[0] = with(open(STEADY), 1, |_| ());
        let expected = serde_json::json!({
            "metric": "ttft.p50", "reach": 0.4, "aim": 0.1, "seconds_needed": 1_200.0,
        });
        assert_eq!(written(&summary)["results"][&key]["slow_queue"], expected);
    }

    #[test]
    fn the_sentence_stands_under_the_tables_of_its_point_and_on_the_page() {
        let mut summary = example::open_loop();
        let calm = text(&summary, Style { color: false });
        assert!(!calm.contains("The queue may move"));
        summary.points[0] = with(open(STEADY), 1, |_| ());
        let shown = text(&summary, Style { color: false });
        let lines: Vec<&str> = shown.lines().collect();
        let from = lines.iter().position(|line| line.starts_with("  queue "));
        let from = from.expect("the sentence");
        let table = lines
            .iter()
            .position(|line| line.trim().starts_with("e2e "));
        assert!(table.expect("the latencies") < from);
        insta::assert_snapshot!(lines[from..from + 3].join("\n"));
        let page = html(&summary, None).unwrap();
        assert!(page.contains("The queue may move more slowly than this run was long"));
    }
}
