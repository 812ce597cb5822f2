use super::{EmbeddingInput, EmbeddingLimits, EmbeddingRequest, VectorEncoding, VectorSizes};
use proptest::prelude::*;

fn limits(sizes: VectorSizes) -> EmbeddingLimits {
    EmbeddingLimits {
        vocab_size: 100,
        text_tokens_max: 8,
        texts_max: 3,
        dimensions: 16,
        sizes,
    }
}

fn parse(body: &str) -> Result<EmbeddingRequest, String> {
    let limits = limits(VectorSizes::Whole);
    EmbeddingRequest::parse(body.as_bytes(), &limits).map_err(|error| {
        assert_eq!(error.status, 400);
        error.message
    })
}

fn text(text: &str) -> EmbeddingInput {
    EmbeddingInput::Text(text.to_owned())
}

fn tokens(ids: &[u32]) -> EmbeddingInput {
    EmbeddingInput::Tokens(ids.to_vec())
}

#[test]
fn every_form_of_input_is_read() {
    for (input, inputs) in [
        (r#""naïve""#, vec![text("naïve")]),
        (r#""""#, vec![text("")]),
        (r#"["a","b"]"#, vec![text("a"), text("b")]),
        ("[1,99]", vec![tokens(&[1, 99])]),
        ("[[1],[2,3]]", vec![tokens(&[1]), tokens(&[2, 3])]),
    ] {
        let request = parse(&format!(r#"{{"input":{input},"model":"m","user":"u"}}"#)).unwrap();
        assert_eq!(request.inputs, inputs);
        assert_eq!(request.model.as_deref(), Some("m"));
        assert_eq!(request.encoding, VectorEncoding::Float);
        assert_eq!((request.dimensions, request.truncate), (16, None));
    }
}

#[test]
fn a_wrong_input_is_refused_by_name() {
    for (input, words) in [
        ("[]", "`input` is empty; it needs at least one text"),
        (
            "[[1],[]]",
            "`input[1]` is empty; it needs at least one token",
        ),
        (
            "[1,100]",
            "`input[1]` must be a token id from 0 to 99, got `100`",
        ),
        (
            "[1,\"a\"]",
            "`input[1]` must be a token id from 0 to 99, got the string \"a\"",
        ),
        (
            "[[1],[2,-1]]",
            "`input[1][1]` must be a token id from 0 to 99, got `-1`",
        ),
        (
            "[\"a\",[1]]",
            "`input[1]` must be a string, as the first one is, got a list of 1",
        ),
        (
            "[[1],\"a\"]",
            "`input[1]` must be a list of token ids, as the first one is, got the string \"a\"",
        ),
        (
            "[\"a\",\"b\",\"c\",\"d\"]",
            "`input` must be a list of at most 3 texts, got a list of 4",
        ),
        (
            "7",
            "`input` must be a string, a list of strings, a list of token ids, or a list of such lists, got `7`",
        ),
        (
            "null",
            "the request has no `input`; send a string, a list of strings, a list of token ids, or a list of such lists",
        ),
    ] {
        assert_eq!(
            parse(&format!(r#"{{"input":{input}}}"#)),
            Err(words.to_owned())
        );
    }
}

#[test]
fn a_wrong_field_is_refused_by_name() {
    for (field, words) in [
        (
            r#""encoding_format":"int8""#,
            "`encoding_format` must be float or base64, got the string \"int8\"",
        ),
        (
            r#""dimensions":0"#,
            "`dimensions` must be a whole number from 1 to 16, got `0`",
        ),
        (
            r#""dimensions":17"#,
            "`dimensions` must be a whole number from 1 to 16, got `17`",
        ),
        (
            r#""dimensions":8"#,
            "`dimensions` must be 16 or left out: the model was not trained for shorter vectors (Matryoshka representation), and a part of one means little, got `8`",
        ),
        (
            r#""truncate_prompt_tokens":0"#,
            "`truncate_prompt_tokens` must be a whole number from 1 to 8, or -1 for 8, which is the most, got `0`",
        ),
        (
            r#""truncate_prompt_tokens":9"#,
            "`truncate_prompt_tokens` must be a whole number from 1 to 8, or -1 for 8, which is the most, got `9`",
        ),
        (
            r#""messages":[]"#,
            "`messages` is not supported by this server; leave it out",
        ),
        (r#""model":7"#, "`model` must be a string, got `7`"),
    ] {
        assert_eq!(
            parse(&format!(r#"{{"input":"a",{field}}}"#)),
            Err(words.to_owned())
        );
    }
}

#[test]
fn fields_within_their_limits_are_read() {
    let request = parse(
        r#"{"input":"a","encoding_format":"base64","dimensions":16,"truncate_prompt_tokens":-1}"#,
    );
    let request = request.unwrap();
    assert_eq!(request.encoding, VectorEncoding::Base64);
    assert_eq!((request.dimensions, request.truncate), (16, Some(8)));
}

#[test]
fn a_model_that_was_trained_for_it_has_shorter_vectors() {
    let of = |sizes: VectorSizes, dimensions: u32| {
        let body = format!(r#"{{"input":"a","dimensions":{dimensions}}}"#);
        EmbeddingRequest::parse(body.as_bytes(), &limits(sizes)).map(|request| request.dimensions)
    };
    assert_eq!(of(VectorSizes::Any, 5), Ok(5));
    let listed = VectorSizes::Listed(vec![4, 8]);
    assert_eq!(of(listed.clone(), 8), Ok(8));
    assert_eq!(of(listed.clone(), 16), Ok(16));
    let error = of(listed, 5).unwrap_err().message;
    assert_eq!(
        error,
        "`dimensions` must be one of [4, 8], which the model was trained for, got `5`"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..60), input in "[\\[\\],\"a0-9{}:. -]{0,30}") {
        let limits = limits(VectorSizes::Any);
        let _any = EmbeddingRequest::parse(&body, &limits);
        let _any = EmbeddingRequest::parse(format!("{{\"input\":{input}}}").as_bytes(), &limits);
    }
}
