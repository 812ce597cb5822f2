//! What became of connections that were to serve again.

use crate::number::plural;
use stats::Reliability;

/// `None` where nothing became of them.
pub(super) fn words(reliability: &Reliability) -> Option<String> {
    let mut parts = Vec::new();
    if reliability.reissued > 0 {
        let requests = plural(reliability.reissued, "request");
        parts.push(format!(
            "{requests} sent once more, on a new one: the one to be used again was closed"
        ));
    }
    if reliability.reuse_ended {
        parts.push("the server closes them after an answer, so that each is used once".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::words;
    use crate::{example, results_json};

    #[test]
    fn requests_that_were_sent_once_more_are_told_and_saved_where_there_are_some() {
        let mut summary = example::summary();
        let saved = |summary: &_| {
            let file: serde_json::Value = serde_json::from_str(&results_json(summary)).unwrap();
            file["results"]["8"]["reliability"].clone()
        };
        assert_eq!(words(&summary.points[1].reliability), None);
        assert!(saved(&summary).get("reissued").is_none());

        let reliability = &mut summary.points[1].reliability;
        reliability.reissued = 3;
        reliability.reuse_ended = true;
        let told = words(reliability).unwrap();
        assert!(told.starts_with("3 requests sent once more"), "{told}");
        assert!(told.ends_with("each is used once"), "{told}");
        assert_eq!(saved(&summary)["reissued"], 3);
        assert_eq!(saved(&summary)["reuse_ended"], true);
    }
}
