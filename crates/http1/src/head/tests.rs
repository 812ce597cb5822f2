use super::{Framing, Head, Method, end, parse};
use crate::refusal::Refusal;
use proptest::prelude::*;

fn head(text: &str) -> Result<Head, Refusal> {
    parse(text.as_bytes()).map(|head| head.expect("a whole head"))
}

#[test]
fn what_a_request_needs_is_read() {
    let head = head(
        "POST http://h/v1/completions?a=b HTTP/1.1\r\nHost: h\r\ncontent-LENGTH: 12\r\n\
         Authorization:  bearer k \r\nX-Request-Id: a-1\r\nExpect: 100-Continue\r\n\r\n",
    )
    .unwrap();
    assert_eq!(
        (head.method(), head.framing()),
        (&Method::Post, Framing::Length(12))
    );
    assert_eq!(head.path(), "/v1/completions");
    assert_eq!(head.bearer(), Some(&b"k"[..]));
    assert_eq!(head.request_id(), Some("a-1"));
    assert_eq!(head.values("HOST").collect::<Vec<_>>(), [b"h"]);
    assert!(head.keep_alive() && head.expects_continue() && head.is_1_1());
}

#[test]
fn a_target_that_names_a_host_alone_asks_for_its_root() {
    for (target, path) in [
        ("http://h", "/"),
        ("http://", "/"),
        ("http://h#o", "/"),
        ("http://h?a=/b", "/"),
        ("http://h/", "/"),
        ("http://h/v1?a#b", "/v1"),
        ("/v1?a=b", "/v1"),
        ("?a", "/"),
        ("*", "*"),
    ] {
        let head = head(&format!("GET {target} HTTP/1.1\r\nX-Empty:\r\n\r\n")).unwrap();
        assert_eq!(head.path(), path, "{target}");
        assert_eq!(head.values("x-empty").collect::<Vec<_>>(), [b""]);
    }
}

#[test]
fn only_a_bearer_has_a_key() {
    for (value, key) in [
        ("Bearer k", Some("k")),
        ("BEARER  k", Some("k")),
        ("Basic k", None),
        ("Bearer", None),
        ("k", None),
    ] {
        let head = head(&format!("GET / HTTP/1.1\r\nAuthorization: {value}\r\n\r\n")).unwrap();
        assert_eq!(head.bearer(), key.map(str::as_bytes), "{value}");
    }
}

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    for headers in [
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Host: a\r\nHost: b\r\n",
        "Content-Length : 1\r\n",
        " folded: x\r\n",
        "a: b\r\n folded\r\n",
    ] {
        let error = head(&format!("POST / HTTP/1.1\r\n{headers}\r\n")).unwrap_err();
        assert_eq!(error.status, 400, "{headers}");
    }
    assert!(head("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    // The same number twice is one number.
    let twice = head("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n");
    assert_eq!(twice.unwrap().framing(), Framing::Length(1));
}

#[test]
fn other_expectations_and_too_many_headers_have_a_status_of_their_own() {
    let error = head("POST / HTTP/1.1\r\nExpect: 200-ok\r\n\r\n").unwrap_err();
    assert_eq!(error.status, 417);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
    assert_eq!(head(&many).unwrap_err().status, 431);
    // HTTP/1.0 has no such word, and waits for none.
    let old = head("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").unwrap();
    assert!(!old.expects_continue());
}

#[test]
fn a_connection_is_kept_as_the_client_wants_it() {
    for (version, header, keep) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: keep-alive, Close\r\n", false),
        ("1.1", "Connection: close, keep-alive\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: close, keep-alive\r\n", false),
    ] {
        let head = head(&format!("GET / HTTP/{version}\r\n{header}\r\n")).unwrap();
        assert_eq!(head.keep_alive(), keep, "{version} {header}");
    }
}

#[test]
fn only_plain_ids_are_echoed() {
    for id in ["", "a b", "a\"b", "<x>", "é", &"x".repeat(129)] {
        let head = head(&format!("GET / HTTP/1.1\r\nX-Request-Id: {id}\r\n\r\n")).unwrap();
        assert_eq!(head.request_id(), None, "{id}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
        let _ = end(&bytes, 0);
    }

    #[test]
    fn an_end_is_found_wherever_reads_are_cut(text in "(a|\r\n|\n){0,12}", cut in 0usize..20) {
        let bytes = text.as_bytes();
        let cut = cut.min(bytes.len());
        let whole = end(bytes, 0);
        let in_two = end(&bytes[..cut], 0).or_else(|| end(bytes, cut));
        prop_assert_eq!(whole, in_two);
    }
}
