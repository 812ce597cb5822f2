//! Bytes to server-sent events.

use crate::StreamError;
use memchr::memchr2;

/// The longest line, and the longest data of one event, that is accepted: 1 MiB. A completion
/// chunk is some hundred bytes, so that a longer line comes from something else.
pub const LINE_BYTES_MAX: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One server-sent event that has data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The `event` field; empty where there was none.
    pub name: &'a [u8],
    /// The `data` lines, joined by a line feed.
    pub data: &'a [u8],
    /// Where the first data line begins, in bytes from the start of the stream.
    pub offset: u64,
}

/// An incremental decoder of server-sent events, by the rules of the WHATWG HTML standard,
/// section 9.2.6. It keeps bytes as they came: whether they are UTF-8 is for the reader to check.
///
/// An event that lies within one pushed slice and has one data line is not copied.
#[derive(Clone, Debug, Default)]
pub struct SseDecoder {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// Data lines of the event being read that could not be borrowed.
    data: Vec<u8>,
    /// Offset of the event being read; present when it has a data line.
    data_offset: Option<u64>,
    name: Vec<u8>,
    /// Bytes of the stream before the line being read.
    line_offset: u64,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_carriage_return: bool,
    /// Each line is the data of an event, without any fields.
    bare_lines: bool,
}

impl SseDecoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder of a stream whose lines are the data of an event each, without any fields.
    pub fn of_lines() -> Self {
        Self {
            bare_lines: true,
            ..Self::default()
        }
    }

    /// Reads the next bytes of the stream and hands over each event that they complete.
    ///
    /// It ends early with [`StreamError::LineTooLong`], or with the first error of `on_event`.
    /// The rest of the bytes is then lost, and the decoder is to be dropped.
    pub fn push<E: From<StreamError>>(
        &mut self,
        bytes: &[u8],
        on_event: &mut impl FnMut(SseEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = bytes;
        if self.after_carriage_return && !rest.is_empty() {
            self.after_carriage_return = false;
            rest = self.skip_line_feed(rest);
        }
        // The data of the event being read, as long as it is one line within `bytes`.
        let mut borrowed: Option<&[u8]> = None;
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let line = &rest[..end];
            check_length(self.line.len() + end)?;
            if self.line.is_empty() {
                self.read_line(line, &mut borrowed, on_event)?;
                self.line_offset += end as u64 + 1;
            } else {
                self.read_buffered_line(line, on_event)?;
            }
            let carriage_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if carriage_return {
                self.after_carriage_return = rest.is_empty();
                rest = self.skip_line_feed(rest);
            }
        }
        self.spill(&mut borrowed);
        check_length(self.line.len() + rest.len())?;
        self.line.extend_from_slice(rest);
        Ok(())
    }

    /// Ends the stream, and hands over the event that its end cut off, if any.
    ///
    /// The standard discards such an event. Servers do end a stream without the last empty line,
    /// or within the last line, so that the reader must judge whether the event is whole.
    pub fn finish<E: From<StreamError>>(
        mut self,
        on_event: &mut impl FnMut(SseEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        let mut borrowed = None;
        if !line.is_empty() {
            self.read_line(&line, &mut borrowed, on_event)?;
        }
        self.read_line(b"", &mut borrowed, on_event)
    }

    fn skip_line_feed<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        match bytes.strip_prefix(b"\n") {
            Some(rest) => {
                self.line_offset += 1;
                rest
            }
            None => bytes,
        }
    }

    /// Completes the buffered line with `ending`, and takes it.
    fn read_buffered_line<E: From<StreamError>>(
        &mut self,
        ending: &[u8],
        on_event: &mut impl FnMut(SseEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(ending);
        let mut borrowed = None;
        self.read_line(&line, &mut borrowed, on_event)?;
        self.spill(&mut borrowed);
        self.line_offset += line.len() as u64 + 1;
        line.clear();
        self.line = line;
        Ok(())
    }

    /// Takes one whole line, without its end. `borrowed` stands for the first data line of the
    /// event as long as it need not be copied.
    fn read_line<'a, E: From<StreamError>>(
        &mut self,
        line: &'a [u8],
        borrowed: &mut Option<&'a [u8]>,
        on_event: &mut impl FnMut(SseEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if line.is_empty() {
            return self.dispatch(borrowed, on_event);
        }
        let line = match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(line) if self.line_offset == 0 => line,
            _ => line,
        };
        if self.bare_lines {
            self.data_offset = Some(self.line_offset);
            *borrowed = Some(line);
            return self.dispatch(borrowed, on_event);
        }
        if let Some(value) = field_value(line, b"data") {
            if self.data_offset.is_none() {
                self.data_offset = Some(self.line_offset);
                *borrowed = Some(value);
            } else {
                self.spill(borrowed);
                check_length(self.data.len() + 1 + value.len())?;
                self.data.push(b'\n');
                self.data.extend_from_slice(value);
            }
        } else if let Some(value) = field_value(line, b"event") {
            self.name.clear();
            self.name.extend_from_slice(value);
        }
        Ok(())
    }

    fn dispatch<E>(
        &mut self,
        borrowed: &mut Option<&[u8]>,
        on_event: &mut impl FnMut(SseEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let outcome = match self.data_offset.take() {
            Some(offset) => {
                let data = borrowed.take().unwrap_or(&self.data);
                on_event(SseEvent {
                    name: &self.name,
                    data,
                    offset,
                })
            }
            None => Ok(()),
        };
        self.data.clear();
        self.name.clear();
        outcome
    }

    /// Copies the borrowed data line, because its bytes go or because another line follows it.
    fn spill(&mut self, borrowed: &mut Option<&[u8]>) {
        if let Some(value) = borrowed.take() {
            debug_assert!(self.data.is_empty(), "only the first data line is borrowed");
            self.data.extend_from_slice(value);
        }
    }
}

/// The value of `line` if its field is `name`, without the one space that may follow the colon.
fn field_value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}

fn check_length(length: usize) -> Result<(), StreamError> {
    if length > LINE_BYTES_MAX {
        return Err(StreamError::LineTooLong {
            limit: LINE_BYTES_MAX,
        });
    }
    Ok(())
}
