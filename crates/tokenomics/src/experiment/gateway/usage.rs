//! Processor time that the parts of the measurement take.

use super::phases::Phase;
use super::start::Lab;
use std::time::{Duration, Instant};

/// Processor time over a part of the measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    pub(super) wall: Duration,
    /// The thread of ours that receives.
    pub(super) client: Duration,
    /// The mock's thread; absent where the provider is somebody else's.
    pub(super) mock: Option<Duration>,
    /// All processes of the gateway; absent where we did not start it.
    pub(super) gateway: Option<Duration>,
}

/// What has been used up to now.
pub(super) fn now(lab: &Lab<'_>) -> (Instant, Usage) {
    let mock = lab.provider.mock.as_ref();
    let gateway = lab.gateway.child.as_ref();
    let usage = Usage {
        wall: Duration::ZERO,
        client: process::this_thread_cpu(),
        mock: mock.map(|_| process::own_threads_cpu(|name| name == "mock")),
        gateway: gateway.map(|child| process::processes_cpu(&child.processes())),
    };
    (Instant::now(), usage)
}

/// Adds what was used between two moments to what is known of a phase.
pub(super) fn note(
    known: &mut Vec<(Phase, Usage)>,
    phase: Phase,
    before: &(Instant, Usage),
    after: &(Instant, Usage),
) {
    let (then, before) = before;
    let (now, after) = after;
    let since =
        |after: Option<Duration>, before: Option<Duration>| Some(after?.saturating_sub(before?));
    let more = Usage {
        wall: *now - *then,
        client: after.client.saturating_sub(before.client),
        mock: since(after.mock, before.mock),
        gateway: since(after.gateway, before.gateway),
    };
    match known.iter_mut().find(|(known, _)| *known == phase) {
        Some((_, sum)) => {
            let both = |a: Option<Duration>, b: Option<Duration>| Some(a? + b?);
            *sum = Usage {
                wall: sum.wall + more.wall,
                client: sum.client + more.client,
                mock: both(sum.mock, more.mock),
                gateway: both(sum.gateway, more.gateway),
            };
        }
        None => known.push((phase, more)),
    }
}
