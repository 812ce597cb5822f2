//! The routes of embeddings, scores and rankings.

/// What is asked about texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PoolingTask {
    /// A vector for each text.
    #[default]
    Embed,
    /// How near each text is to a query: vLLM's `/score`.
    Score,
    /// The texts in the order of their nearness to a query: `/rerank`, as Jina, Cohere and vLLM have it.
    Rerank,
}

impl PoolingTask {
    /// The route below the API's base URL, which usually ends in `/v1`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Embed => "/embeddings",
            Self::Score => "/score",
            Self::Rerank => "/rerank",
        }
    }

    /// The task of that route, with or without the leading `/` and `/v1`.
    pub fn of_path(text: &str) -> Option<Self> {
        let route = text.strip_prefix('/').unwrap_or(text);
        match route.strip_prefix("v1/").unwrap_or(route) {
            "embeddings" => Some(Self::Embed),
            "score" => Some(Self::Score),
            "rerank" => Some(Self::Rerank),
            _ => None,
        }
    }

    /// Whether texts are compared with a query.
    pub const fn has_query(self) -> bool {
        !matches!(self, Self::Embed)
    }

    pub(super) const fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::Embed => ("", "input"),
            Self::Score => ("text_1", "text_2"),
            Self::Rerank => ("query", "documents"),
        }
    }
}
