//! When the bytes of a connection moved.

use std::cell::Cell;
use trace::Nanos;

/// When the bytes of a connection moved. Shared between the byte stream, which writes it, and the
/// exchange that runs on the stream, which reads it; both live on the receiving thread.
#[derive(Debug, Default)]
pub struct Stamps {
    read: Cell<Option<ReadStamp>>,
    ended: Cell<Option<ReadStamp>>,
    wrote: Cell<Option<Nanos>>,
    reads: Cell<u32>,
    asks_socket: Cell<bool>,
}

/// When one read's bytes arrived and when this process had them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadStamp {
    /// The kernel's receive stamp where it gives one, else the user-space stamp.
    pub arrived: Nanos,
    /// The user-space stamp.
    pub read: Nanos,
    /// Which read of this response, from 0.
    pub index: u32,
}

impl Stamps {
    /// Forgets the previous request of a kept-alive connection.
    pub(crate) fn begin(&self) {
        self.read.set(None);
        self.ended.set(None);
        self.wrote.set(None);
        self.reads.set(0);
    }

    /// Notes a read that brought bytes.
    pub fn note_read(&self, arrived: Nanos, read: Nanos) {
        let index = self.reads.get();
        let stamp = ReadStamp {
            arrived,
            read,
            index,
        };
        self.reads.set(index + 1);
        self.read.set(Some(stamp));
    }

    /// Notes the end of the stream.
    pub fn note_end(&self, now: Nanos) {
        self.ended.set(Some(ReadStamp {
            arrived: now,
            read: now,
            index: self.reads.get(),
        }));
    }

    /// Notes a write that was accepted.
    pub fn note_write(&self, now: Nanos) {
        self.wrote.set(Some(now));
    }

    /// The latest read that brought bytes.
    pub(crate) fn latest_read(&self) -> Option<ReadStamp> {
        self.read.get()
    }

    /// The end of the stream, where it ended.
    pub(crate) fn ended(&self) -> Option<ReadStamp> {
        self.ended.get()
    }

    /// The latest write.
    pub(crate) fn wrote(&self) -> Option<Nanos> {
        self.wrote.get()
    }

    /// Whether the next reads ask the socket itself, and not what the runtime knew of it when it last looked.
    pub(crate) fn ask_socket(&self, asks: bool) {
        self.asks_socket.set(asks);
    }

    pub(crate) fn asks_socket(&self) -> bool {
        self.asks_socket.get()
    }
}
