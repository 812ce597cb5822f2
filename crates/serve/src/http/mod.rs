//! HTTP/1.1, as much as an API server needs: heads by httparse, bodies with a length or in chunks, and answers that are
//! whole or streamed. It is our own because its limits are the product: each deadline, each size, and one write
//! for each step of a stream.

mod body;
mod connection;
mod head;
mod listener;
mod reply;

pub(crate) use head::{Head, Method};
pub(crate) use listener::{bind, listen};
pub(crate) use reply::{Reply, Whole};
