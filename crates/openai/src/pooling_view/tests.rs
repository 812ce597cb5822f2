use super::{EmbeddingView, PoolingInput, RerankView, ScoreView};
use std::borrow::Cow;

fn text(text: &str) -> PoolingInput<'_> {
    PoolingInput::Text(Cow::Borrowed(text))
}

#[test]
fn an_input_may_be_a_text_texts_token_ids_or_lists_of_them() {
    for (input, expected) in [
        (r#""a b""#, vec![text("a b")]),
        (r#"["a","b\n"]"#, vec![text("a"), text("b\n")]),
        ("[1,2]", vec![PoolingInput::Tokens(vec![1, 2])]),
        (
            "[[1,2],[3]]",
            vec![
                PoolingInput::Tokens(vec![1, 2]),
                PoolingInput::Tokens(vec![3]),
            ],
        ),
    ] {
        let body = format!(r#"{{"model":"m","input":{input},"user":"u"}}"#);
        let view = EmbeddingView::parse(body.as_bytes()).unwrap();
        assert_eq!(view.inputs, expected);
        assert_eq!((view.dimensions, view.base64), (None, false));
    }
}

#[test]
fn a_plain_text_is_not_copied() {
    let view = EmbeddingView::parse(br#"{"input":["plain"]}"#).unwrap();
    assert!(matches!(
        view.inputs[0],
        PoolingInput::Text(Cow::Borrowed("plain"))
    ));
    assert_eq!(view.inputs[0].words(), 1);
}

#[test]
fn dimensions_and_format_are_read() {
    let body = br#"{"input":"a","dimensions":8,"encoding_format":"base64"}"#;
    let view = EmbeddingView::parse(body).unwrap();
    assert_eq!((view.dimensions, view.base64), (Some(8), true));
}

#[test]
fn what_is_no_request_for_embeddings_is_refused_with_the_reason() {
    for (body, reason) in [
        ("{}", "`input` is missing"),
        (r#"{"input":[]}"#, "empty list"),
        (r#"{"input":5}"#, "a text, texts"),
        (r#"{"input":["a",1]}"#, "mixes"),
        (r#"{"input":[1,"a"]}"#, "mixes"),
        (r#"{"input":[["a"]]}"#, "mixes"),
        (r#"{"input":[-1]}"#, "a text, texts"),
        (r#"{"input":[4294967296]}"#, "4294967296 is no token id"),
        (r#"{"input":"a","encoding_format":"int8"}"#, "got \"int8\""),
        ("[", "EOF"),
    ] {
        let error = EmbeddingView::parse(body.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(reason), "{body}: {error}");
    }
}

#[test]
fn scores_compare_one_text_with_each_or_each_with_its_own() {
    let view = ScoreView::parse(br#"{"text_1":"q","text_2":["a","b"]}"#).unwrap();
    assert_eq!(view.first, [text("q")]);
    assert_eq!(view.second, [text("a"), text("b")]);
    let view = ScoreView::parse(br#"{"text_1":["p","q"],"text_2":["a","b"]}"#).unwrap();
    assert_eq!(view.first, [text("p"), text("q")]);
    let error = ScoreView::parse(br#"{"text_1":["p","q"],"text_2":"a"}"#).unwrap_err();
    assert!(error.to_string().contains("`text_1` has 2"), "{error}");
}

#[test]
fn a_ranking_needs_a_query_and_documents() {
    let view =
        RerankView::parse(br#"{"query":"q","documents":["a","b"],"top_n":1,"model":"m"}"#).unwrap();
    assert_eq!((view.documents.len(), view.top_n), (2, Some(1)));
    let all = RerankView::parse(br#"{"query":"q","documents":["a"],"top_n":0}"#).unwrap();
    assert_eq!(all.top_n, None);
    for (body, reason) in [
        (r#"{"documents":["a"]}"#, "`query` is missing"),
        (r#"{"query":"q"}"#, "`documents` is missing"),
        (r#"{"query":"q","documents":[1]}"#, "must be texts"),
    ] {
        let error = RerankView::parse(body.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(reason), "{body}: {error}");
    }
}
