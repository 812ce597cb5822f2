//! What is asked of measurements: each question runs loads on sessions, and knows nothing of what the requests are.

mod answer_file;
mod capacity;
mod continuous;
mod numbers;
mod onlooker;
mod side;
mod versus;

use crate::config::{Config, Question};
use crate::failure::{Exit, Failure};
use crate::measurement::{Interruption, Planned, dry_run};

/// Answers what was asked, from the configuration to the exit code.
pub(crate) fn answer(config: &Config) -> Result<Exit, Failure> {
    match &config.question {
        Question::Numbers | Question::Versus(_) => {}
        Question::Capacity(_) => capacity::check(&config.output)?,
        Question::FixedVsContinuous { .. } => continuous::check(&config.output)?,
    }
    // What cannot be planned is said before any server is started or asked: of the first block, or look, where more follow.
    let planned = Planned::of(&config.task, config.load.clone(), config.seed)?;
    if config.dry_run {
        // Of the other questions it shows the first part; the rest follows from what is measured.
        return dry_run(config, &planned);
    }
    let interruption = Interruption::new();
    match &config.question {
        Question::Numbers => numbers::numbers(config, planned, &interruption),
        Question::Capacity(search) => capacity::find_capacity(config, search, &interruption),
        Question::Versus(versus) => versus::versus(config, versus, &interruption),
        Question::FixedVsContinuous { runs } => {
            continuous::fixed_vs_continuous(config, planned, *runs, &interruption)
        }
    }
}
