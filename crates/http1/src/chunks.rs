//! Bodies in chunks, as a server writes them.

use std::io::Write;

/// Ends a body of chunks.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends `payload` as one chunk. An empty one would end the body, so it appends nothing.
pub fn push_chunk(out: &mut Vec<u8>, payload: &[u8]) {
    if payload.is_empty() {
        return;
    }
    // A vector takes every write.
    let _ = write!(out, "{:x}\r\n", payload.len());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// A buffer for one chunk: room for its size, then data. The size is written last, so that the data need not be moved.
#[derive(Debug)]
pub struct ChunkBuffer {
    bytes: Vec<u8>,
}

/// Hexadecimal digits of a chunk's size, and the line's end.
const SIZE_ROOM: usize = 16 + 2;

impl ChunkBuffer {
    /// An empty one.
    pub fn new() -> Self {
        ChunkBuffer {
            bytes: vec![0; SIZE_ROOM],
        }
    }

    /// Empties it; what is then appended is data.
    pub fn data(&mut self) -> &mut Vec<u8> {
        self.bytes.truncate(SIZE_ROOM);
        &mut self.bytes
    }

    /// There is no data.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == SIZE_ROOM
    }

    /// The wire's bytes: a chunk, and the body's end after the last one; the data alone where there are no `chunks`.
    pub fn wire(&mut self, chunks: bool, last: bool) -> &[u8] {
        if !chunks {
            return &self.bytes[SIZE_ROOM..];
        }
        if self.is_empty() {
            return if last { LAST_CHUNK } else { &[] };
        }
        let count = self.bytes.len() - SIZE_ROOM;
        let size = format!("{count:x}\r\n");
        let start = SIZE_ROOM - size.len();
        self.bytes[start..SIZE_ROOM].copy_from_slice(size.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
        if last {
            self.bytes.extend_from_slice(LAST_CHUNK);
        }
        &self.bytes[start..]
    }
}

impl Default for ChunkBuffer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkBuffer, push_chunk};

    #[test]
    fn a_chunk_has_its_size_before_it() {
        let mut buffer = ChunkBuffer::new();
        buffer.data().extend_from_slice(b"0123456789abcdef");
        assert_eq!(buffer.wire(true, false), b"10\r\n0123456789abcdef\r\n");
        buffer.data().push(b'x');
        assert_eq!(buffer.wire(true, true), b"1\r\nx\r\n0\r\n\r\n");
        buffer.data().push(b'y');
        assert_eq!(buffer.wire(false, true), b"y");
        let mut out = Vec::new();
        push_chunk(&mut out, &[b'a'; 26]);
        assert_eq!(out, [&b"1a\r\n"[..], &[b'a'; 26], b"\r\n"].concat());
    }

    #[test]
    fn an_empty_chunk_never_ends_a_body() {
        let mut out = Vec::new();
        push_chunk(&mut out, b"");
        let mut buffer = ChunkBuffer::new();
        buffer.data();
        assert_eq!(
            (out.as_slice(), buffer.wire(true, false)),
            (&b""[..], &b""[..])
        );
        assert_eq!(buffer.wire(true, true), b"0\r\n\r\n");
    }
}
