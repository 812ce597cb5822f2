//! One text of a point, asked for twice after its last run: a model gives it one vector.

use load::{HeaderMap, TcpConnector};
use openai::{PooledReply, PoolingTask, PoolingTemplate};
use std::time::Duration;
use trace::{AskedAgain, Plan, Prompt};

/// Whom to ask, on connections beside those that were measured.
pub(crate) struct AskAgain {
    pub(crate) connector: TcpConnector,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) template: PoolingTemplate,
    pub(crate) within: Duration,
}

impl AskAgain {
    /// Compares two vectors of the first text of `plan`; `None` where the plan has none, or no vectors are asked for.
    ///
    /// # Errors
    /// A sentence's end: what became of a request that was not answered with a vector.
    pub(crate) async fn ask(&self, plan: &Plan) -> Result<Option<AskedAgain>, String> {
        let first = plan.requests.first().map(|request| &request.prompt);
        let Some(Prompt::Texts { texts, .. }) = first else {
            return Ok(None);
        };
        let (PoolingTask::Embed, Some(text)) = (self.template.task(), texts.first()) else {
            return Ok(None);
        };
        let body = self.template.render(None, std::iter::once(&**text));
        let (first, second) = (self.vector(&body).await?, self.vector(&body).await?);
        let again = AskedAgain::of(&first, &second);
        again.map(Some).ok_or_else(|| {
            format!(
                "the first answer had a vector of {} numbers, and the second of {}",
                first.len(),
                second.len()
            )
        })
    }

    async fn vector(&self, body: &[u8]) -> Result<Vec<f32>, String> {
        let headers = self.headers.clone();
        let answer = load::post(&self.connector, &self.path, headers, body, self.within).await?;
        if answer.status != 200 {
            return Err(format!("it was answered with status {}", answer.status));
        }
        let reply = PooledReply::parse(&answer.body, PoolingTask::Embed, 1);
        let vectors = reply.map_err(|error| error.to_string())?.vectors;
        Ok(vectors.into_iter().next().unwrap_or_default())
    }
}
