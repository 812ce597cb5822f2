//! Bodies in chunks, as a server reads them.

use crate::refusal::Refusal;

/// Bytes of a line with a chunk's size, at most, and of all trailers together.
const LINE_MAX: usize = 1024;
const TRAILERS_MAX: usize = 8192;

/// Reads a chunked body from what has come of it, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    state: State,
    /// What it is so far.
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    /// Bytes of the chunk to come.
    Data(usize),
    /// The line end after a chunk.
    DataEnd,
    /// Bytes of trailers so far.
    Trailers(usize),
    End,
}

impl Chunked {
    /// Takes what it can from the front of `input`. True where the body is complete.
    pub(crate) fn take(&mut self, input: &mut Vec<u8>, bytes_max: usize) -> Result<bool, Refusal> {
        let mut at = 0;
        let done = loop {
            let rest = &input[at..];
            match self.state {
                State::End => break true,
                State::Data(0) => self.state = State::DataEnd,
                State::Data(_) if rest.is_empty() => break false,
                State::Data(left) => {
                    let count = left.min(rest.len());
                    self.body.extend_from_slice(&rest[..count]);
                    at += count;
                    self.state = State::Data(left - count);
                }
                State::Size | State::DataEnd | State::Trailers(_) => {
                    let Some((line, bytes)) = line(rest)? else {
                        break false;
                    };
                    at += bytes;
                    self.line(line, bytes, bytes_max)?;
                }
            }
        };
        input.drain(..at);
        Ok(done)
    }

    fn line(&mut self, line: &[u8], bytes: usize, bytes_max: usize) -> Result<(), Refusal> {
        self.state = match self.state {
            State::Size => match size(line)? {
                0 => State::Trailers(0),
                size if size > bytes_max.saturating_sub(self.body.len()) => {
                    return Err(Refusal::body_too_large(bytes_max));
                }
                size => State::Data(size),
            },
            State::Trailers(_) if line.is_empty() => State::End,
            State::Trailers(before) if before + bytes <= TRAILERS_MAX => {
                State::Trailers(before + bytes)
            }
            State::Trailers(_) => {
                return Err(Refusal::new(431, "the request's trailers are too long"));
            }
            _ if line.is_empty() => State::Size,
            _ => return Err(malformed()),
        };
        Ok(())
    }
}

fn malformed() -> Refusal {
    Refusal::new(400, "the request body's chunks are malformed")
}

/// A line without its end, and the bytes that it takes.
fn line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Refusal> {
    match bytes.iter().take(LINE_MAX).position(|&byte| byte == b'\n') {
        Some(end) => {
            let line = bytes[..end].strip_suffix(b"\r").ok_or_else(malformed)?;
            Ok(Some((line, end + 1)))
        }
        None if bytes.len() >= LINE_MAX => Err(malformed()),
        None => Ok(None),
    }
}

/// A chunk's size; extensions after `;` mean nothing here.
fn size(line: &[u8]) -> Result<usize, Refusal> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or(line);
    let digits = digits.trim_ascii_end();
    let hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| hex)
        .and_then(|text| usize::from_str_radix(text, 16).ok())
        .ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::Chunked;
    use proptest::prelude::*;

    #[test]
    fn chunks_are_joined_wherever_reads_are_cut() {
        let wire = b"4;x=y\r\nWiki\r\n5 \r\npedia\r\n0\r\nT: 1\r\n\r\nGET";
        for cut in 0..wire.len() {
            let mut chunked = Chunked::default();
            let mut input = wire[..cut].to_vec();
            let mut done = chunked.take(&mut input, 9).unwrap();
            input.extend_from_slice(&wire[cut..]);
            if !done {
                done = chunked.take(&mut input, 9).unwrap();
            }
            assert!(done);
            assert_eq!(
                (chunked.body.as_slice(), input.as_slice()),
                (&b"Wikipedia"[..], &b"GET"[..])
            );
        }
    }

    #[test]
    fn too_much_and_nonsense_are_refused() {
        for (wire, status) in [
            (&b"5\r\nabcde\r\n5\r\nabcde\r\n"[..], 413),
            (b"ffffffffffffffff\r\n", 413),
            (b"fffffffffffffffff\r\n", 400),
            (b"-1\r\n", 400),
            (b"\r\n", 400),
            (b"1\nx", 400),
            (b"1\r\nxy\r\n", 400),
            (&[b'1'; 2000], 400),
        ] {
            let error = Chunked::default().take(&mut wire.to_vec(), 9).unwrap_err();
            assert_eq!(error.status, status, "{wire:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Chunked::default().take(&mut bytes.clone(), 64);
        }
    }
}
