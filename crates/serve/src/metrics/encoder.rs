//! What an encoder's server says: no more than it has. Keys and values it keeps none, and tokens it makes none.

use super::{Metrics, escape, head, one};
use engine::Gauges;

impl Metrics {
    /// In Prometheus' text format 0.0.4.
    pub(crate) fn encoder_text(&self, model: &str, gauges: &Gauges) -> String {
        let labels = format!("model_name=\"{}\"", escape(model));
        let mut out = String::with_capacity(4000);
        for (name, help, value) in [
            (
                "vllm:num_requests_running",
                "Texts of the batch that is computed.",
                gauges.running,
            ),
            (
                "vllm:num_requests_waiting",
                "Texts that wait.",
                gauges.waiting,
            ),
        ] {
            one(&mut out, &labels, name, "gauge", help, value);
        }
        for (name, help, value) in [
            (
                "vllm:prompt_tokens_total",
                "Tokens of texts processed.",
                self.prompt_tokens,
            ),
            (
                "tokenomics:batches_total",
                "Batches computed.",
                self.batches,
            ),
            (
                "tokenomics:batched_texts_total",
                "Texts in those batches.",
                self.batched_texts,
            ),
            (
                "tokenomics:requests_aborted_total",
                "Requests whose clients went away.",
                self.aborted,
            ),
            (
                "tokenomics:failed_steps_total",
                "Batches that the model could not compute.",
                self.failed_steps,
            ),
        ] {
            one(&mut out, &labels, name, "counter", help, value);
        }
        self.write_finished(&mut out, &labels);
        let latency = "vllm:e2e_request_latency_seconds";
        head(
            &mut out,
            latency,
            "histogram",
            "From a request's arrival to its end.",
        );
        self.request.write(&mut out, latency, &labels);
        self.write_rejected(&mut out, &labels);
        out
    }
}
