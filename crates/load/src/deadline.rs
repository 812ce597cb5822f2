//! How long each part of a request may take.

use std::time::Duration;
use trace::{Nanos, TimeoutKind};

/// How long each part of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// TCP and TLS.
    pub connect: Duration,
    /// Issued to first token event, for streams.
    pub first_token: Duration,
    /// Token event to token event, for streams.
    pub stall: Duration,
    /// Issued to the end.
    pub total: Duration,
}

impl Deadlines {
    /// Which deadline has passed at `now`, or when the next one will.
    ///
    /// `last_token` is what the decoding knows; a stream's first-token and stall deadlines are
    /// judged by it, so that pings and empty events keep no dead stream alive.
    pub(crate) fn judge(
        &self,
        stream: bool,
        issued: Nanos,
        last_token: Option<Nanos>,
        now: Nanos,
    ) -> Result<Nanos, TimeoutKind> {
        let total = issued + span(self.total);
        if now >= total {
            return Err(TimeoutKind::Total);
        }
        if !stream {
            return Ok(total);
        }
        let (token, kind) = match last_token {
            None => (issued + span(self.first_token), TimeoutKind::FirstToken),
            Some(last) => (last + span(self.stall), TimeoutKind::Stall),
        };
        if now >= token {
            return Err(kind);
        }
        Ok(total.min(token))
    }
}

pub(crate) fn span(duration: Duration) -> Nanos {
    Nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Deadlines, Nanos, TimeoutKind};
    use std::time::Duration;

    const DEADLINES: Deadlines = Deadlines {
        connect: Duration::from_secs(1),
        first_token: Duration::from_secs(10),
        stall: Duration::from_secs(5),
        total: Duration::from_mins(1),
    };

    fn at(seconds: u64) -> Nanos {
        Nanos::from_millis(seconds * 1000)
    }

    #[test]
    fn a_stream_waits_for_its_first_token_then_from_token_to_token() {
        let judge = |last, now| DEADLINES.judge(true, at(100), last, now);
        assert_eq!(judge(None, at(109)), Ok(at(110)));
        assert_eq!(judge(None, at(110)), Err(TimeoutKind::FirstToken));
        assert_eq!(judge(Some(at(112)), at(113)), Ok(at(117)));
        assert_eq!(judge(Some(at(112)), at(117)), Err(TimeoutKind::Stall));
        assert_eq!(judge(Some(at(158)), at(159)), Ok(at(160)));
        assert_eq!(judge(Some(at(159)), at(160)), Err(TimeoutKind::Total));
    }

    #[test]
    fn a_response_that_is_not_a_stream_has_only_the_total() {
        let judge = |now| DEADLINES.judge(false, at(100), None, now);
        assert_eq!(judge(at(150)), Ok(at(160)));
        assert_eq!(judge(at(160)), Err(TimeoutKind::Total));
    }
}
