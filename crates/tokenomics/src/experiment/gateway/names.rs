//! What a gateway benchmark calls what it measured.

/// Who was measured.
pub(super) struct Names<'a> {
    pub(super) label: &'a str,
    pub(super) revision: &'a str,
    pub(super) gateway: &'a str,
    pub(super) measures_full_stream: bool,
    pub(super) rate: Option<f64>,
}
