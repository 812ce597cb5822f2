//! Plans as tests want them: distinct short prompts, and no randomness.

use trace::{Arrival, Nanos, Pacing, Plan, PlannedRequest, Prompt, SCHEMA_VERSION, Stop};

/// `requests` in batches of `size`.
pub fn burst(size: u32, requests: usize) -> Plan {
    plan(Pacing::Burst { size }, vec![Nanos::ZERO; requests])
}

/// `requests`, of which `concurrency` are in flight.
pub fn closed(concurrency: u32, requests: usize) -> Plan {
    plan(Pacing::Closed { concurrency }, vec![Nanos::ZERO; requests])
}

/// A request at each of the `due` times, which rise.
pub fn open(arrival: Arrival, due: Vec<Nanos>) -> Plan {
    let pacing = Pacing::Open {
        arrival,
        max_concurrency: None,
    };
    plan(pacing, due)
}

/// The same plan, releasing requests for that long.
pub fn until(after: Nanos, plan: Plan) -> Plan {
    Plan {
        stop: Stop::Deadline { after },
        ..plan
    }
}

fn plan(pacing: Pacing, due: Vec<Nanos>) -> Plan {
    let requests = (0..).zip(due).map(|(id, due)| PlannedRequest {
        due,
        max_tokens: Some(16),
        ..PlannedRequest::new(id, Prompt::user(format!("prompt {id}")))
    });
    Plan {
        schema_version: SCHEMA_VERSION,
        seed: 0,
        pacing,
        stop: Stop::AllRequests,
        requests: requests.collect(),
    }
}
