//! What a fault does to the frames of a stream, and to the writes that carry them.

use crate::completion::Completion;
use crate::config::nanos;
use crate::frames::{Frame, FrameKind};
use crate::step::{Marks, Step};
use crate::{Dialect, Fault};
use openai::{Endpoint, error_frame};
use std::time::Duration;

/// Between the halves of a split write: long enough that a reader that is awake sees two reads.
const SPLIT_PAUSE: Duration = Duration::from_millis(1);

/// The frames as `fault` leaves them.
pub(crate) fn frames(fault: &Fault, completion: &Completion<'_>, frames: Vec<Frame>) -> Vec<Frame> {
    match *fault {
        Fault::Reset(events) | Fault::Fin(events) | Fault::Truncate(events) => {
            cut_after(events, frames)
        }
        Fault::Stall { after, span: None } => cut_after(after, frames),
        Fault::Stall {
            after,
            span: Some(span),
        } => {
            let kept = kept_after(after, &frames);
            let span = nanos(span);
            let mut frames = frames;
            for frame in &mut frames[kept..] {
                frame.at = frame.at.saturating_add(span);
            }
            frames
        }
        Fault::ErrorEvent(events) => {
            let mut frames = cut_after(events, frames);
            let at = frames
                .last()
                .map_or(completion.token_at(0), |frame| frame.at);
            let error = error_frame("the mock was asked to fail here");
            frames.push(other(at, [&b"event: error\n"[..], &error].concat()));
            frames
        }
        Fault::Malformed(event) => with_event(event, frames, |frame| {
            frame.truncate(frame.len() * 2 / 3);
            frame.extend_from_slice(b"\n\n");
        }),
        Fault::InvalidUtf8(event) => with_event(event, frames, |frame| {
            let text = completion.text(1);
            // The first piece of a tool call may have no text, but its arguments begin.
            let places = [text.as_bytes(), b"\"arguments\":\"{"];
            let found = places.into_iter().find_map(|place| {
                let at = frame.windows(place.len()).position(|part| part == place);
                at.map(|at| at + place.len() - 1)
            });
            // 0xFF occurs nowhere in UTF-8.
            if let Some(byte) = found.and_then(|at| frame.get_mut(at)) {
                *byte = 0xff;
            }
        }),
        Fault::Reasoning(events) => reasoning(events, completion, frames),
        Fault::Pings => between(frames, |index| match index % 2 {
            0 => b": ping\n\n".to_vec(),
            _ => b"event: ping\ndata: {\"type\": \"ping\"}\n\n".to_vec(),
        }),
        Fault::EmptyDeltas => between(frames, |_| completion.style.content(0, "")),
        Fault::Dialect(dialect) => speak(dialect, frames),
        Fault::AckComb(span) => {
            let span = nanos(span);
            frames
                .into_iter()
                .map(|frame| Frame {
                    at: frame.at.next_multiple_of(span),
                    ..frame
                })
                .collect()
        }
        _ => frames,
    }
}

/// The writes as `fault` leaves them. The marks of a write that is cut stay with its last piece.
pub(crate) fn writes(fault: &Fault, steps: Vec<Step>) -> Vec<Step> {
    match *fault {
        Fault::Drip(pause) => cut_each(steps, nanos(pause), |bytes| (1..bytes.len()).collect()),
        Fault::Split(offset) => cut_each(steps, nanos(SPLIT_PAUSE), |bytes| {
            let offset = offset as usize;
            if offset < bytes.len() {
                vec![offset]
            } else {
                Vec::new()
            }
        }),
        Fault::Utf8Split => cut_each(steps, nanos(SPLIT_PAUSE), |bytes| {
            bytes
                .iter()
                .position(|byte| !byte.is_ascii())
                .map(|at| at + 1)
                .into_iter()
                .collect()
        }),
        _ => steps,
    }
}

fn other(at: u64, bytes: Vec<u8>) -> Frame {
    Frame {
        at,
        bytes,
        kind: FrameKind::Other,
        tokens: 0,
    }
}

/// Everything up to the content event number `events`, and nothing after it.
fn cut_after(events: u32, mut frames: Vec<Frame>) -> Vec<Frame> {
    frames.truncate(kept_after(events, &frames));
    frames
}

/// How many frames there are up to the content event number `events`.
fn kept_after(events: u32, frames: &[Frame]) -> usize {
    let mut left = events;
    let kept = frames.iter().take_while(|frame| match frame.kind {
        FrameKind::Role => true,
        FrameKind::Other => false,
        FrameKind::Content => {
            let kept = left > 0;
            left = left.saturating_sub(1);
            kept
        }
    });
    kept.count()
}

/// Changes the content event number `event`, from 1.
fn with_event(event: u32, mut frames: Vec<Frame>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<Frame> {
    let mut contents = frames
        .iter_mut()
        .filter(|frame| frame.kind == FrameKind::Content);
    if let Some(frame) = contents.nth(event.saturating_sub(1) as usize) {
        change(&mut frame.bytes);
    }
    frames
}

/// The first events as vLLM's `reasoning_content`, which only chat has.
fn reasoning(events: u32, completion: &Completion<'_>, mut frames: Vec<Frame>) -> Vec<Frame> {
    if completion.style.endpoint == Endpoint::ChatCompletions {
        let contents = frames
            .iter_mut()
            .filter(|frame| frame.kind == FrameKind::Content);
        for frame in contents.take(events as usize) {
            let text = String::from_utf8_lossy(&frame.bytes);
            frame.bytes = text
                .replacen("{\"content\":", "{\"reasoning_content\":", 1)
                .into_bytes();
        }
    }
    frames
}

/// Another frame before every frame.
fn between(frames: Vec<Frame>, interlude: impl Fn(usize) -> Vec<u8>) -> Vec<Frame> {
    let pairs = frames.into_iter().enumerate();
    pairs
        .flat_map(|(index, frame)| [other(frame.at, interlude(index)), frame])
        .collect()
}

fn speak(dialect: Dialect, mut frames: Vec<Frame>) -> Vec<Frame> {
    for frame in &mut frames {
        // The JSON in a frame holds no line end of its own: it is written on one line.
        let text = String::from_utf8_lossy(&frame.bytes);
        frame.bytes = match dialect {
            Dialect::Cr => text.replace('\n', "\r"),
            Dialect::CrLf => text.replace('\n', "\r\n"),
            Dialect::MultiLine => text.replacen("data: {", "data: {\ndata: ", 1),
            Dialect::NoSpace => text.replacen("data: ", "data:", 1),
            Dialect::Bom => text.into_owned(),
        }
        .into_bytes();
    }
    if dialect == Dialect::Bom
        && let Some(first) = frames.first_mut()
    {
        first.bytes.splice(0..0, "\u{feff}".bytes());
    }
    frames
}

/// Cuts every write at the offsets given for it. The pieces are `pause` apart, from one another and
/// from the write that follows.
fn cut_each(steps: Vec<Step>, pause: u64, offsets: impl Fn(&[u8]) -> Vec<usize>) -> Vec<Step> {
    let mut out = Vec::new();
    let mut free_at = 0;
    for step in steps {
        let mut at = step.at.max(free_at);
        let mut from = 0;
        for offset in offsets(&step.bytes) {
            out.push(Step {
                at,
                bytes: step.bytes[from..offset].to_vec(),
                marks: Marks::default(),
            });
            at += pause;
            from = offset;
        }
        out.push(Step {
            at,
            bytes: step.bytes[from..].to_vec(),
            marks: step.marks,
        });
        free_at = if from > 0 { at + pause } else { at };
    }
    out
}
