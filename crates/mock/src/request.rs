//! A request, as far as its answer depends on it.

use http1::{Head, Method};

/// A request, as far as its answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) head: &'a Head,
    pub(crate) body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Without the query.
    pub(crate) fn path(&self) -> &'a str {
        self.head.path()
    }

    /// What it says of the fault that shall happen to it.
    pub(crate) fn fault(&self) -> Option<&'a [u8]> {
        self.head.values("x-mock-fault").next()
    }

    /// Whether the route's method is that of the request. A `HEAD` is a `GET` whose answer has no body.
    pub(crate) fn takes(&self, method: &str) -> bool {
        match self.head.method() {
            Method::Head => method == "GET",
            other => other.name() == method,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Request;
    use http1::{Body, Budget, Head, Limits, Receiver};

    /// The parts of the one request that `text` is.
    pub(crate) fn received(text: &str) -> (Head, Body) {
        let mut receiver = Receiver::new(&Limits::default(), &Budget::new(1 << 20));
        receiver.push(text.as_bytes()).unwrap();
        let head = receiver.head().unwrap().expect(text);
        let body = receiver.body().unwrap().expect(text);
        (head, body)
    }

    #[test]
    fn a_head_is_asked_for_where_a_get_may_be() {
        for (method, get, post) in [
            ("GET", true, false),
            ("HEAD", true, false),
            ("POST", false, true),
            ("PUT", false, false),
        ] {
            let (head, body) = received(&format!(
                "{method} /a?b HTTP/1.1\r\nX-Mock-Fault: gzip\r\n\r\n"
            ));
            let request = Request {
                head: &head,
                body: &body.bytes,
            };
            assert_eq!((request.takes("GET"), request.takes("POST")), (get, post));
            assert_eq!(
                (request.path(), request.fault()),
                ("/a", Some(&b"gzip"[..]))
            );
        }
    }
}
