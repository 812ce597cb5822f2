//! Who else uses the processors while we measure.

use load::Target;
use process::Neighbours;
use trace::{Beside, Nanos};

/// A look that was taken before a run.
pub(crate) struct Company {
    before: Neighbours,
    /// The server's port, where it runs on this machine.
    server: Option<u16>,
}

impl Company {
    /// Takes it; `None` where the system does not say.
    pub(crate) fn look(target: &Target) -> Option<Self> {
        let server = target.is_this_machine().then_some(target.port);
        let before = Neighbours::look()?;
        Some(Self { before, server })
    }

    /// What was used since, over the time that the run was watched; `None` also where the server is on this machine
    /// and nobody can tell which process it is.
    pub(crate) fn since(self, watched: Nanos) -> Option<Beside> {
        let used = Neighbours::look()?.since(&self.before, self.server)?;
        let nanos = |span: std::time::Duration| Nanos::from_seconds(span.as_secs_f64());
        Some(Beside {
            watched,
            processors: used.processors,
            others: nanos(used.others),
            server: used.server.map(nanos),
        })
    }
}
