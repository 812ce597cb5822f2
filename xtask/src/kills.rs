//! Measurements killed at every moment of their lives: what was there before is whole, or what they wrote can be read.

use crate::pinned::tokenomics;
use anyhow::{Context, Result, ensure};
use mock::MockConfig;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;
use std::time::Duration;
use testkit::{Format, Kill, Killing, Left, Moment, Whole};

/// How often, and which program.
#[derive(Debug, clap::Args)]
pub(crate) struct KillsArgs {
    /// Kills
    #[arg(long, default_value_t = 100)]
    times: u32,
    /// Of the moments
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The program [default: a release build of this checkout]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Half of all kills come this soon.
const SOON: Duration = Duration::from_millis(500);

/// The moments of the other half, by turns.
const MOMENTS: [Moment; 5] = [
    Moment::Appears,
    Moment::Grows,
    Moment::Records,
    Moment::Results,
    Moment::Replaced,
];

/// Kills of one kind of moment.
#[derive(Default)]
struct Row {
    kills: u32,
    old: u32,
    new_records: u32,
    new: u32,
    left: u32,
    too_late: u32,
    faults: u32,
}

/// Prints a table, and fails where anything could not be read.
pub(crate) fn run(args: &KillsArgs) -> Result<()> {
    let program = match &args.program {
        Some(program) => program.canonicalize()?,
        None => tokenomics()?,
    };
    let config = MockConfig {
        ttft: Duration::from_millis(4).into(),
        itl: Duration::from_millis(1).into(),
        ..MockConfig::default()
    };
    let mock = mock::spawn("127.0.0.1:0".parse()?, config, None)?;
    let api_base = format!("http://{}/v1", mock.addr());
    let mut random = ChaCha8Rng::seed_from_u64(args.seed);
    let mut rows: Vec<(&str, Row)> = Vec::new();
    for number in 0..args.times {
        let moment = match number % 2 {
            0 => Moment::After(SOON.mul_f64(random.random::<f64>())),
            _ => MOMENTS[number as usize / 2 % MOMENTS.len()],
        };
        let format = match number / 2 % 2 {
            0 => Format::Jsonl,
            _ => Format::Parquet,
        };
        let folder = tempfile::tempdir()?;
        let killing = Killing {
            program: &program,
            folder: folder.path(),
            api_base: &api_base,
            format,
        };
        let kill = killing
            .kill(moment)
            .with_context(|| format!("kill {number}, {moment:?}"))?;
        for fault in &kill.faults {
            println!("kill {number}, {moment:?}, {format:?}: {fault}");
        }
        add(&mut rows, name(moment), &kill);
        add(&mut rows, of_format(format), &kill);
        add(&mut rows, "all", &kill);
    }
    rows.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name));
    print(&rows);
    let faults = rows.iter().find(|(name, _)| *name == "all");
    ensure!(
        faults.is_some_and(|(_, row)| row.faults == 0),
        "some files could not be read, or do not belong together"
    );
    Ok(())
}

/// The rows of the table.
const ORDER: [&str; 9] = [
    "within 0.5 s",
    "unfinished records appear",
    "they grow",
    "records are put in place",
    "results are put in place",
    "results are in place",
    "JSON Lines",
    "Parquet",
    "all",
];

const fn name(moment: Moment) -> &'static str {
    match moment {
        Moment::After(_) => ORDER[0],
        Moment::Appears => ORDER[1],
        Moment::Grows => ORDER[2],
        Moment::Records => ORDER[3],
        Moment::Results => ORDER[4],
        Moment::Replaced => ORDER[5],
    }
}

const fn of_format(format: Format) -> &'static str {
    match format {
        Format::Jsonl => ORDER[6],
        Format::Parquet => ORDER[7],
    }
}

fn add(rows: &mut Vec<(&'static str, Row)>, name: &'static str, kill: &Kill) {
    if !rows.iter().any(|(known, _)| *known == name) {
        rows.push((name, Row::default()));
    }
    for (_, row) in rows.iter_mut().filter(|(known, _)| *known == name) {
        row.kills += 1;
        match kill.whole {
            Some(Whole::Old) => row.old += 1,
            Some(Whole::NewRecords) => row.new_records += 1,
            Some(Whole::New) => row.new += 1,
            None => {}
        }
        row.left += u32::from(matches!(kill.left, Left::Records(_)));
        row.too_late += u32::from(kill.too_late);
        row.faults += u32::from(!kill.faults.is_empty());
    }
}

fn print(rows: &[(&str, Row)]) {
    println!(
        "{:<26}{:>6}{:>11}{:>13}{:>11}{:>15}{:>12}{:>12}",
        "killed when",
        "kills",
        "old whole",
        "new records",
        "new whole",
        "parts readable",
        "was over",
        "unreadable"
    );
    for (name, row) in rows {
        println!(
            "{name:<26}{:>6}{:>11}{:>13}{:>11}{:>15}{:>12}{:>12}",
            row.kills, row.old, row.new_records, row.new, row.left, row.too_late, row.faults
        );
    }
    println!("new records: whole, beside the old results; `report` makes the new results of them");
}
