//! Who runs where, and who sleeps: what makes one start another than the next.

use super::start::Lab;
use crate::child::Watched;
use process::ThreadLook;
use std::time::{Duration, Instant};

/// Looks are so far apart at least: each reads a few files, and the turn after it finds other things in the caches.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Of the time a look may take at most one part in so many.
const LOOK_PART: u32 = 50;

/// On which processors one look found them; absent where there is no telling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Processors {
    pub(super) client: Option<u32>,
    pub(super) mock: Option<u32>,
    /// That of its threads which did most since the last look.
    pub(super) gateway: Option<u32>,
}

/// Two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    ClientMock,
    ClientGateway,
    MockGateway,
}

/// How often each gave up its processor, for each request that it saw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sleeps {
    pub(super) client: Option<f64>,
    pub(super) mock: Option<f64>,
    pub(super) gateway: Option<f64>,
}

/// Where everybody was in one start.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Placement {
    pub(super) looks: Vec<Processors>,
    pub(super) sleeps: Sleeps,
}

impl Placement {
    /// What most looks found, and their share.
    pub(super) fn usual(&self) -> Option<(Processors, f64)> {
        let mut sorted = self.looks.clone();
        sorted.sort_unstable();
        let most = sorted
            .chunk_by(|a, b| a == b)
            .max_by_key(|same| same.len())?;
        Some((most[0], most.len() as f64 / sorted.len() as f64))
    }

    /// The share of the looks in which two of them had one processor; `None` where that is not known.
    pub(super) fn together(&self, pair: Pair) -> Option<f64> {
        let both = |look: &Processors| match pair {
            Pair::ClientMock => Some((look.client?, look.mock?)),
            Pair::ClientGateway => Some((look.client?, look.gateway?)),
            Pair::MockGateway => Some((look.mock?, look.gateway?)),
        };
        let known: Vec<(u32, u32)> = self.looks.iter().filter_map(both).collect();
        let together = known.iter().filter(|(a, b)| a == b).count();
        (!known.is_empty()).then(|| together as f64 / known.len() as f64)
    }
}

/// Looks now and then.
pub(super) struct Watcher {
    has_mock: bool,
    /// Its processes; those that it starts later are not looked at.
    gateway: Vec<u32>,
    first: Look,
    last: Look,
    looked: Instant,
    every: Duration,
    looks: Vec<Processors>,
}

#[derive(Clone, Default)]
struct Look {
    client: Option<ThreadLook>,
    mock: Vec<ThreadLook>,
    gateway: Vec<ThreadLook>,
}

impl Watcher {
    pub(super) fn start(lab: &Lab<'_>) -> Self {
        let gateway = lab.gateway.child.as_ref();
        let mut watcher = Watcher {
            has_mock: lab.provider.mock.is_some(),
            gateway: gateway.map_or_else(Vec::new, Watched::processes),
            first: Look::default(),
            last: Look::default(),
            looked: Instant::now(),
            every: LOOK_EVERY,
            looks: Vec::new(),
        };
        watcher.first = watcher.look();
        watcher.last = watcher.first.clone();
        watcher
    }

    pub(super) fn look_if_due(&mut self) {
        if self.looked.elapsed() < self.every {
            return;
        }
        let begun = Instant::now();
        let look = self.look();
        self.looks.push(processors(&self.last, &look));
        self.last = look;
        self.looked = Instant::now();
        self.every = LOOK_EVERY.max(LOOK_PART * begun.elapsed());
    }

    /// What was seen in so many turns.
    pub(super) fn finish(mut self, turns: u64) -> Placement {
        let look = self.look();
        self.looks.push(processors(&self.last, &look));
        Placement {
            looks: self.looks,
            sleeps: sleeps(&self.first, &look, turns),
        }
    }

    fn look(&self) -> Look {
        Look {
            client: process::this_thread(),
            mock: if self.has_mock {
                process::own_threads(|name| name == "mock")
            } else {
                Vec::new()
            },
            gateway: process::threads_of(&self.gateway),
        }
    }
}

fn processors(before: &Look, now: &Look) -> Processors {
    let did = |look: &&ThreadLook| {
        let then = before
            .gateway
            .iter()
            .find(|then| then.thread == look.thread);
        look.on_cpu
            .saturating_sub(then.map_or(Duration::ZERO, |then| then.on_cpu))
    };
    Processors {
        client: now.client.map(|look| look.processor),
        mock: now.mock.first().map(|look| look.processor),
        gateway: now
            .gateway
            .iter()
            .max_by_key(did)
            .map(|look| look.processor),
    }
}

/// A turn is three requests, and one of them goes through the gateway.
fn sleeps(before: &Look, now: &Look, turns: u64) -> Sleeps {
    let of = |before: &[ThreadLook], now: &[ThreadLook], requests: u64| {
        let sum = |looks: &[ThreadLook]| looks.iter().map(|look| look.slept).sum::<u64>();
        let slept = sum(now).saturating_sub(sum(before));
        (!now.is_empty() && requests > 0).then(|| slept as f64 / requests as f64)
    };
    Sleeps {
        client: of(before.client.as_slice(), now.client.as_slice(), 3 * turns),
        mock: of(&before.mock, &now.mock, 3 * turns),
        gateway: of(&before.gateway, &now.gateway, turns),
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Pair, Placement, Processors, Sleeps, processors, sleeps};
    use process::ThreadLook;
    use std::time::Duration;

    const fn thread(thread: u32, processor: u32, ms: u64, slept: u64) -> ThreadLook {
        ThreadLook {
            thread,
            processor,
            on_cpu: Duration::from_millis(ms),
            slept,
        }
    }

    #[test]
    fn a_gateway_is_where_the_thread_is_that_did_most_since() {
        let before = Look {
            client: Some(thread(1, 0, 5, 10)),
            mock: vec![thread(2, 0, 5, 10)],
            gateway: vec![thread(3, 0, 900, 40), thread(4, 0, 5, 0)],
        };
        let now = Look {
            client: Some(thread(1, 0, 9, 40)),
            mock: vec![thread(2, 1, 9, 25)],
            gateway: vec![thread(3, 0, 901, 40), thread(4, 1, 20, 15)],
        };
        let found = processors(&before, &now);
        assert_eq!(
            (found.client, found.mock, found.gateway),
            (Some(0), Some(1), Some(1))
        );
        let expected = Sleeps {
            client: Some(1.0),
            mock: Some(0.5),
            gateway: Some(1.5),
        };
        assert_eq!(sleeps(&before, &now, 10), expected);
        // Nothing is known of a gateway that we did not start.
        let alone = Look {
            gateway: Vec::new(),
            ..now
        };
        assert_eq!(processors(&before, &alone).gateway, None);
        assert_eq!(sleeps(&before, &alone, 10).gateway, None);
    }

    #[test]
    fn who_shares_a_processor_is_counted_over_the_looks() {
        let look = |client, mock| Processors {
            client: Some(client),
            mock: Some(mock),
            gateway: None,
        };
        let placement = Placement {
            looks: vec![look(0, 0), look(0, 1), look(0, 0), look(1, 1)],
            sleeps: Sleeps::default(),
        };
        assert_eq!(placement.together(Pair::ClientMock), Some(0.75));
        assert_eq!(placement.together(Pair::MockGateway), None);
        assert_eq!(placement.usual(), Some((look(0, 0), 0.5)));
        assert_eq!(Placement::default().usual(), None);
    }
}
