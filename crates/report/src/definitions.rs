//! What each number of a result file is.

/// What each number of a result file is, by the name it has there.
pub(crate) const DEFINITIONS: [(&str, &str); 46] = [
    (
        "token_event",
        "a streamed event with non-empty generated text; role-only, empty and usage events are none",
    ),
    (
        "input_per_request",
        "prompt tokens of a complete request, as the server counted them",
    ),
    (
        "output_per_request",
        "generated tokens of a complete request, reasoning included; `output_source` says who counted",
    ),
    (
        "recounted",
        "answers whose text was counted again: their tokens by the server's usage, and by the tokenizer",
    ),
    (
        "cached_total",
        "prompt tokens that the server took from its cache",
    ),
    (
        "batch_total_seconds",
        "from the release of a run's first request to the end of its last",
    ),
    (
        "fastest_seconds",
        "the first request to finish; in a burst counted from the batch's start",
    ),
    (
        "slowest_seconds",
        "the last request to finish; in a burst counted from the batch's start",
    ),
    ("spread_seconds", "slowest_seconds - fastest_seconds"),
    (
        "batch_tokens_per_second",
        "output tokens of a run's complete requests / the run's duration, over runs",
    ),
    (
        "batch_tokens_per_second_ci95",
        "bootstrap 95 % interval of the median of batch_tokens_per_second over runs",
    ),
    (
        "request_tokens_per_second",
        "output tokens / e2e of each complete request, pooled over runs",
    ),
    (
        "decode_tokens_per_second",
        "1 / tpot of each complete request, pooled over runs",
    ),
    (
        "input_tokens_per_second",
        "prompt tokens of a run's complete requests / its duration, over runs",
    ),
    (
        "output_tokens_per_second",
        "output tokens of complete requests / (last token event - first issued), over runs",
    ),
    (
        "requests_per_second",
        "complete requests / the run's duration, over runs",
    ),
    ("ttft", "first token event - issued"),
    (
        "ttft_from_due",
        "first token event - due, the moment the plan set: what a user who came on schedule saw",
    ),
    (
        "ttfo",
        "first event of content or of a tool call, reasoning left out - issued",
    ),
    (
        "tpot",
        "(last token event - first token event) / (output tokens - tokens in the first); where the first read brought several tokens, the same from that read on, and absent where that cannot be told",
    ),
    (
        "itl",
        "gap between reads that brought tokens / tokens in the later one, where the tokens of each event are known",
    ),
    ("chunk_gap", "gap between consecutive token events"),
    (
        "e2e",
        "last token event - issued; without streaming: body complete - issued",
    ),
    ("e2e_from_due", "the same from due"),
    ("stream_end", "[DONE] or the end of the body - issued"),
    (
        "connect",
        "TCP and TLS ready - issued, of requests that opened a connection",
    ),
    (
        "issue_lag",
        "issued - due: how late the client released the request",
    ),
    (
        "percentiles",
        "linear interpolation between order statistics (Hyndman-Fan type 7)",
    ),
    (
        "ci95",
        "95 % interval: of percentiles from order statistics, of means and of percentiles of batches Student's t, with the effective sample size; null where that is too small for one",
    ),
    (
        "n_effective",
        "so many independent values would tell as much of the median; null where the series is too short to tell",
    ),
    (
        "warmup_seconds",
        "how long a run was still warming up, by MSER-5: the steady state begins no earlier",
    ),
    (
        "std",
        "sample standard deviation (n - 1); 0 for a single value",
    ),
    (
        "steady_state",
        "the window in which the load was at its target: closed loop 80 % of the concurrency, open loop up to the last arrival",
    ),
    (
        "slow_queue",
        "the server's queue may move too slowly for runs as short as these: how far the median can be off, as a share of it, and about how many seconds over all runs would tell it to `aim`",
    ),
    (
        "success_rate",
        "complete / issued; failed and cancelled requests stay in the denominator",
    ),
    (
        "reissued",
        "requests sent once more, on a new connection, because the reused one was closed while idle: ttft, e2e and connect begin there",
    ),
    (
        "reuse_ended",
        "the server was seen closing connections right after its answers; none was used again since",
    ),
    ("achieved", "requests in flight, averaged over time"),
    (
        "littles_law",
        "complete requests / the whole run x the mean time from issued to the end of the stream: what `achieved` should be",
    ),
    (
        "goodput",
        "complete requests per second that met every objective given",
    ),
    (
        "share",
        "goodput: of the requests issued; steady_state: of the run",
    ),
    (
        "share_ci95",
        "95 % interval of goodput's share, which covers what other runs of the same plan would have measured",
    ),
    (
        "client_lag",
        "the client's own stamp of a read - the arrival stamp, in ms; part of no latency where the kernel stamps",
    ),
    (
        "coalesced_share",
        "token events that shared a read with an earlier one, of all token events",
    ),
    (
        "coalesced_width",
        "mean gap to the read before those that held several token events, in ms: so late may their stamps be",
    ),
    (
        "verdict",
        "valid, suspect (read the reasons first) or invalid (do not use)",
    ),
];
