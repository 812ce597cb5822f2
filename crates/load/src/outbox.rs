//! The way from the receiving thread to the decoding one.

use crate::decode::Decoder;
use crate::packet::Packet;
use crate::template::Reading;
use crate::{Clock, LoadError};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, Thread};
use std::vec::IntoIter;
use trace::Record;

/// Packets that wait before they are handed over together: waking a thread costs more than a
/// packet does.
const BATCH: usize = 64;

/// Bytes that may wait for the decoding, with the stamps of their reads. It takes only the time that receiving leaves, so where the
/// client is the bottleneck, receiving must stop for it before memory runs out.
const UNDECODED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Collects packets and hands them over in batches.
pub(crate) struct Outbox {
    waiting: RefCell<Vec<Packet>>,
    undecoded: Arc<AtomicUsize>,
    way: Way,
}

enum Way {
    /// To the decoding thread.
    Thread(Handover),
    /// Decoded at once, on a virtual clock: a thread outside the runtime knows no paused time.
    Inline(RefCell<Decoder>),
}

/// What the receiving thread holds of the decoding.
struct Handover {
    /// Nothing once it is closed.
    sender: RefCell<Option<Sender<Vec<Packet>>>>,
    decoding: Arc<Mutex<Decoding>>,
    thread: Thread,
}

/// The decoding and what is to be decoded. Whoever holds it takes the next packet, so that packets keep their order: the
/// decoding thread while the run goes on, and whoever [settles](Outbox::settle).
struct Decoding {
    decoder: Decoder,
    receiver: Receiver<Vec<Packet>>,
    /// What is left of the batch that was received last.
    batch: IntoIter<Packet>,
    undecoded: Arc<AtomicUsize>,
}

/// The decoding thread; it ends when the outbox is closed.
pub(crate) struct DecodingThread(Option<JoinHandle<()>>);

impl Outbox {
    /// Starts the decoding. `on_record` is called with every record, on the decoding thread or on the one that settles.
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
            let (handover, thread) = Handover::start(decoder, &undecoded)?;
            (Way::Thread(handover), Some(thread))
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
                let bytes = packet.weight();
                let full = {
                    let mut waiting = self.waiting.borrow_mut();
                    waiting.push(packet);
                    waiting.len() >= BATCH
                };
                let undecoded = self.undecoded.fetch_add(bytes, Ordering::Relaxed) + bytes;
                if undecoded > UNDECODED_BYTES_MAX {
                    self.decode_down_to(UNDECODED_BYTES_MAX / 2);
                } else if full {
                    self.flush();
                }
            }
        }
    }

    /// Lets the decoding thread end, though requests that were given up may still hold the outbox.
    pub(crate) fn close(&self) {
        self.flush();
        if let Way::Thread(handover) = &self.way {
            handover.sender.borrow_mut().take();
            handover.thread.unpark();
        }
    }

    /// Hands over what waits.
    pub(crate) fn flush(&self) {
        if let Way::Thread(handover) = &self.way {
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.is_empty() {
                let packets = std::mem::replace(&mut *waiting, Vec::with_capacity(BATCH));
                handover.send(packets);
            }
        }
    }

    /// Decodes everything pushed so far, on this thread: nothing is received any more, and the decoding thread gets next to
    /// no processor time where others want it too.
    pub(crate) fn settle(&self) {
        self.decode_down_to(0);
    }

    /// Decodes on this thread, until no more than so many bytes wait.
    fn decode_down_to(&self, bytes: usize) {
        self.flush();
        if let Way::Thread(handover) = &self.way {
            let too_many = || bytes == 0 || self.undecoded.load(Ordering::Relaxed) > bytes;
            while too_many() && decode_next(&handover.decoding) == Step::Decoded {}
        }
    }
}

impl Handover {
    fn start(
        decoder: Decoder,
        undecoded: &Arc<AtomicUsize>,
    ) -> Result<(Self, JoinHandle<()>), LoadError> {
        let (sender, receiver) = channel();
        let decoding = Arc::new(Mutex::new(Decoding {
            decoder,
            receiver,
            batch: Vec::new().into_iter(),
            undecoded: Arc::clone(undecoded),
        }));
        let on_thread = Arc::clone(&decoding);
        let thread = std::thread::Builder::new()
            .name("decode".into())
            .spawn(move || decode_all(&on_thread))
            .map_err(|error| LoadError::Start {
                what: "the decoding thread",
                cause: error.to_string(),
            })?;
        let handover = Handover {
            sender: RefCell::new(Some(sender)),
            decoding,
            thread: thread.thread().clone(),
        };
        Ok((handover, thread))
    }

    /// Never waits for the decoding thread, which may hold the decoding and no processor.
    fn send(&self, packets: Vec<Packet>) {
        if let Some(sender) = &*self.sender.borrow() {
            // The receiver lives as long as this does.
            let _ = sender.send(packets);
            self.thread.unpark();
        }
    }
}

/// What came of taking the next packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Decoded,
    /// Everything so far is decoded.
    Nothing,
    /// And nothing will come any more; also after a panic, which the thread's join reports.
    Closed,
}

/// Decodes one packet. The decoding is held for no longer, so that whoever settles waits for no more than one packet of the
/// other thread's.
fn decode_next(decoding: &Mutex<Decoding>) -> Step {
    let Ok(mut decoding) = decoding.lock() else {
        return Step::Closed;
    };
    let packet = loop {
        if let Some(packet) = decoding.batch.next() {
            break packet;
        }
        match decoding.receiver.try_recv() {
            Ok(batch) => decoding.batch = batch.into_iter(),
            Err(TryRecvError::Empty) => return Step::Nothing,
            Err(TryRecvError::Disconnected) => return Step::Closed,
        }
    };
    let bytes = packet.weight();
    decoding.decoder.decode(packet);
    decoding.undecoded.fetch_sub(bytes, Ordering::Relaxed);
    Step::Decoded
}

/// Takes only the time that the receiving thread leaves: where both share one processor, decoding
/// at equal priority would keep reads waiting, and events that wait together lose their own stamps.
fn decode_all(decoding: &Mutex<Decoding>) {
    crate::leave_time_to_receiving();
    loop {
        match decode_next(decoding) {
            Step::Decoded => {}
            Step::Nothing => std::thread::park(),
            Step::Closed => return,
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
