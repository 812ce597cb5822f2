//! The way from the receiving thread to the decoding one.

use crate::decode::Decoder;
use crate::packet::Packet;
use crate::template::Reading;
use crate::{Clock, LoadError};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use trace::Record;

/// Packets that wait before they are handed over together: waking a thread costs more than a
/// packet does.
const BATCH: usize = 64;

/// Bytes that may wait for the decoding. It takes only the time that receiving leaves, so where the
/// client is the bottleneck, receiving must stop for it before memory runs out.
const UNDECODED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Collects packets and hands them over in batches.
pub(crate) struct Outbox {
    waiting: RefCell<Vec<Packet>>,
    undecoded: Arc<AtomicUsize>,
    way: Way,
}

enum Way {
    /// To the decoding thread, until it is closed.
    Thread(RefCell<Option<Sender<Message>>>),
    /// Decoded at once, on a virtual clock: a thread outside the runtime knows no paused time.
    Inline(RefCell<Decoder>),
}

enum Message {
    Packets(Vec<Packet>),
    /// Everything before this has been decoded when the answer comes.
    Barrier(Sender<()>),
}

/// The decoding thread; it ends when the outbox is closed.
pub(crate) struct DecodingThread(Option<JoinHandle<()>>);

impl Outbox {
    /// Starts the decoding. `on_record` is called with every record, on the decoding thread.
    pub(crate) fn open(
        clock: Clock,
        reading: Reading,
        on_record: Box<dyn FnMut(Record) + Send>,
    ) -> Result<(Self, DecodingThread), LoadError> {
        let decoder = Decoder::new(clock, reading, on_record);
        let undecoded = Arc::default();
        let (way, thread) = if clock.is_virtual() {
            (Way::Inline(RefCell::new(decoder)), None)
        } else {
            let (sender, receiver) = channel();
            let undecoded = Arc::clone(&undecoded);
            let thread = std::thread::Builder::new()
                .name("decode".into())
                .spawn(move || decode_all(decoder, &receiver, &undecoded))
                .map_err(|error| LoadError::Start {
                    what: "the decoding thread",
                    cause: error.to_string(),
                })?;
            (Way::Thread(RefCell::new(Some(sender))), Some(thread))
        };
        let outbox = Outbox {
            waiting: RefCell::new(Vec::with_capacity(BATCH)),
            undecoded,
            way,
        };
        Ok((outbox, DecodingThread(thread)))
    }

    pub(crate) fn push(&self, packet: Packet) {
        match &self.way {
            Way::Inline(decoder) => decoder.borrow_mut().decode(packet),
            Way::Thread(_) => {
                let bytes = packet.bytes();
                let full = {
                    let mut waiting = self.waiting.borrow_mut();
                    waiting.push(packet);
                    waiting.len() >= BATCH
                };
                let undecoded = self.undecoded.fetch_add(bytes, Ordering::Relaxed) + bytes;
                if undecoded > UNDECODED_BYTES_MAX {
                    self.settle();
                } else if full {
                    self.flush();
                }
            }
        }
    }

    /// Lets the decoding thread end, though requests that were given up may still hold the outbox.
    pub(crate) fn close(&self) {
        self.flush();
        if let Way::Thread(sender) = &self.way {
            sender.borrow_mut().take();
        }
    }

    fn sender(&self) -> Option<Sender<Message>> {
        match &self.way {
            Way::Thread(sender) => sender.borrow().clone(),
            Way::Inline(_) => None,
        }
    }

    /// Hands over what waits.
    pub(crate) fn flush(&self) {
        if let Some(sender) = self.sender() {
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.is_empty() {
                let packets = std::mem::replace(&mut *waiting, Vec::with_capacity(BATCH));
                // The thread ends before us only by a panic, which its join reports.
                let _ = sender.send(Message::Packets(packets));
            }
        }
    }

    /// Waits until everything pushed so far is decoded and recorded.
    pub(crate) fn settle(&self) {
        self.flush();
        if let Some(sender) = self.sender() {
            let (answer, answered) = channel();
            if sender.send(Message::Barrier(answer)).is_ok() {
                let _ = answered.recv();
            }
        }
    }
}

/// Takes only the time that the receiving thread leaves: where both share one processor, decoding
/// at equal priority would keep reads waiting, and events that wait together lose their own stamps.
fn decode_all(mut decoder: Decoder, receiver: &Receiver<Message>, undecoded: &AtomicUsize) {
    crate::leave_time_to_receiving();
    for message in receiver {
        match message {
            Message::Packets(packets) => {
                for packet in packets {
                    let bytes = packet.bytes();
                    decoder.decode(packet);
                    undecoded.fetch_sub(bytes, Ordering::Relaxed);
                }
            }
            Message::Barrier(answer) => {
                let _ = answer.send(());
            }
        }
    }
}

impl Drop for DecodingThread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take()
            && let Err(panic) = thread.join()
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}
