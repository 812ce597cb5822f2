//! The requests that are under way.

use std::future::Future;
use tokio::task::{JoinError, JoinSet};

/// The requests that are under way. A panic in one of them is ours, and goes on up.
#[derive(Default)]
pub(crate) struct InFlight(JoinSet<()>);

impl InFlight {
    pub(crate) fn spawn(&mut self, exchange: impl Future<Output = ()> + 'static) {
        self.0.spawn_local(exchange);
    }

    /// Waits until fewer than `limit`, and at least 1, are under way.
    pub(crate) async fn until_fewer_than(&mut self, limit: usize) {
        while self.0.len() >= limit.max(1) {
            if let Some(ended) = self.0.join_next().await {
                settle(ended);
            }
        }
    }

    /// Lets go of those that have ended.
    pub(crate) fn reap(&mut self) {
        while let Some(ended) = self.0.try_join_next() {
            settle(ended);
        }
    }

    /// Cancels those that are still under way.
    pub(crate) async fn cancel(mut self) {
        self.0.shutdown().await;
    }
}

fn settle(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
