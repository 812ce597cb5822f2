//! The rules of server-sent events, against a plain reading of the standard.

use openai::{LINE_BYTES_MAX, SseDecoder, SseEvent, StreamError};
use proptest::prelude::*;

/// Name, data and offset of an event.
type Owned = (Vec<u8>, Vec<u8>, u64);

/// The events of a stream that arrives in these pieces, without an event cut off at its end.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Owned>, StreamError> {
    let mut events = Vec::new();
    let mut decoder = SseDecoder::new();
    for piece in pieces {
        decoder.push::<StreamError>(piece, &mut |event| {
            events.push((event.name.to_vec(), event.data.to_vec(), event.offset));
            Ok(())
        })?;
    }
    Ok(events)
}

fn data_of(bytes: &[u8]) -> Vec<String> {
    let events = decode([bytes]).unwrap();
    events
        .into_iter()
        .map(|(_, data, _)| String::from_utf8(data).unwrap())
        .collect()
}

/// The data of the event that the end of the stream cuts off.
fn cut_off(bytes: &[u8]) -> Vec<String> {
    let mut decoder = SseDecoder::new();
    let mut data = Vec::new();
    let mut keep = |event: SseEvent<'_>| {
        data.push(String::from_utf8(event.data.to_vec()).unwrap());
        Ok::<(), StreamError>(())
    };
    decoder
        .push(bytes, &mut |_| Ok::<(), StreamError>(()))
        .unwrap();
    decoder.finish(&mut keep).unwrap();
    data
}

/// The standard read word for word over the whole stream: slow, simple, and without offsets.
fn reference(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut lines = vec![Vec::new()];
    let mut previous = 0;
    for &byte in bytes {
        match byte {
            b'\n' if previous == b'\r' => {}
            b'\n' | b'\r' => lines.push(Vec::new()),
            _ => lines.last_mut().unwrap().push(byte),
        }
        previous = byte;
    }
    lines.pop();
    let (mut events, mut name, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        if line.is_empty() {
            let (name, mut data) = (std::mem::take(&mut name), std::mem::take(&mut data));
            if data.pop().is_some() {
                events.push((name, data));
            }
            continue;
        }
        let colon = line
            .iter()
            .position(|&byte| byte == b':')
            .unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            b"event" => name = value.to_vec(),
            _ => {}
        }
    }
    events
}

/// Bytes that are mostly pieces of the format, so that its rules meet each other.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"\n".to_vec()),
        2 => Just(b"\r".to_vec()),
        3 => Just(b"\r\n".to_vec()),
        4 => Just(b"data: ".to_vec()),
        2 => Just(b"data:".to_vec()),
        1 => Just(b"data".to_vec()),
        2 => Just(b"event: ".to_vec()),
        1 => Just(b"id: 1".to_vec()),
        1 => Just(b": comment".to_vec()),
        1 => Just(b"\xEF\xBB\xBF".to_vec()),
        3 => Just("{\"é\"}".as_bytes().to_vec()),
        2 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_stream_decodes_as_the_standard_says(bytes in streams()) {
        let events = decode([&bytes[..]]).unwrap();
        let events: Vec<_> = events.into_iter().map(|(name, data, _)| (name, data)).collect();
        prop_assert_eq!(events, reference(&bytes));
    }

    #[test]
    fn any_split_gives_the_same_events(
        bytes in streams(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let whole = decode([&bytes[..]]).unwrap();
        let split = decode(cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]])).unwrap();
        prop_assert_eq!(&split, &whole);
        prop_assert_eq!(decode(bytes.chunks(1)).unwrap(), whole);
    }

    #[test]
    fn line_endings_are_alike(
        lines in proptest::collection::vec("(data: ?|event: |: |)[a-z]{0,3}", 0..30),
    ) {
        let events = |ending: &str| {
            let stream = lines.join(ending) + ending;
            let events = decode([stream.as_bytes()]).unwrap();
            events.into_iter().map(|(name, data, _)| (name, data)).collect::<Vec<_>>()
        };
        prop_assert_eq!(events("\n"), events("\r\n"));
        prop_assert_eq!(events("\n"), events("\r"));
    }

    #[test]
    fn an_offset_is_that_of_the_first_data_line(bytes in streams()) {
        for (_, _, offset) in decode([&bytes[..]]).unwrap() {
            let line = &bytes[usize::try_from(offset).unwrap()..];
            prop_assert!(line.starts_with(b"data") || line.starts_with(b"\xEF\xBB\xBFdata"));
        }
    }
}

#[test]
fn fields_comments_and_byte_order_mark_follow_the_standard() {
    assert_eq!(
        data_of(b"data: a\n\ndata:b\n\ndata:  c\n\n"),
        ["a", "b", " c"]
    );
    assert_eq!(
        data_of(b"data: a\ndata: b\r\ndata\rdata: c\n\n"),
        ["a\nb\n\nc"]
    );
    assert_eq!(data_of(b"\xEF\xBB\xBFdata: a\n\n"), ["a"]);
    assert_eq!(
        data_of(b": ping\n\nid: 7\nretry: 5\n\ndatax: no\n\n"),
        Vec::<String>::new()
    );
    let events = decode([&b"event: error\ndata: x\n\ndata: y\n\n"[..]]).unwrap();
    assert_eq!(events[0].0, b"error");
    assert_eq!(events[1].0, b"", "a name lasts for one event");
}

#[test]
fn the_end_of_the_stream_hands_over_what_it_cut_off() {
    assert_eq!(cut_off(b"data: a\n\ndata: [DONE]\n"), ["[DONE]"]);
    assert_eq!(cut_off(b"data: a\n\ndata: [DONE]"), ["[DONE]"]);
    assert_eq!(cut_off(b"data: a\r\n\r\ndata: [DONE]\r"), ["[DONE]"]);
    assert_eq!(cut_off(b"data: a\ndata: b"), ["a\nb"]);
    assert_eq!(cut_off(b"data: a\n\n: bye"), Vec::<String>::new());
}

#[test]
fn an_error_of_the_reader_ends_the_push() {
    let mut seen = 0;
    let outcome = SseDecoder::new().push(b"data: a\n\ndata: b\n\n", &mut |event| {
        seen += 1;
        Err(StreamError::Server {
            message: String::from_utf8_lossy(event.data).into_owned(),
        })
    });
    assert_eq!(
        outcome,
        Err(StreamError::Server {
            message: "a".to_owned()
        })
    );
    assert_eq!(seen, 1);
}

#[test]
fn the_limit_on_lines_holds_for_every_split() {
    let line = |bytes: usize| [b":".repeat(bytes), b"\ndata: x\n\n".to_vec()].concat();
    let too_long = Err(StreamError::LineTooLong {
        limit: LINE_BYTES_MAX,
    });
    for piece_bytes in [4_096, 65_537, usize::MAX] {
        let fits = line(LINE_BYTES_MAX);
        let pieces = fits.chunks(piece_bytes.min(fits.len()));
        assert_eq!(decode(pieces).unwrap().len(), 1);
        let endless = line(LINE_BYTES_MAX + 1);
        let pieces = endless.chunks(piece_bytes.min(endless.len()));
        assert_eq!(decode(pieces), too_long);
    }
}

#[test]
fn the_limit_holds_for_the_joined_lines_of_an_event() {
    let line = [
        b"data: ".to_vec(),
        b"x".repeat(LINE_BYTES_MAX / 2),
        b"\n".to_vec(),
    ]
    .concat();
    let too_long = Err(StreamError::LineTooLong {
        limit: LINE_BYTES_MAX,
    });
    assert_eq!(decode([&line[..], &line, b"\n"]), too_long);
    assert_eq!(decode([&[&line[..], &line, b"\n"].concat()[..]]), too_long);
    let one_of_two_fits = [&line[..], b"\n", &line, b"\n"].concat();
    assert_eq!(decode([&one_of_two_fits[..]]).unwrap().len(), 2);
}
