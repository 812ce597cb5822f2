//! Connections on the runtime: what `http1` finds in their bytes is answered, its deadlines are kept, and whoever goes away
//! takes the request along.

mod client;
mod connection;
mod listener;
mod reply;

pub(crate) use listener::{bind, listen};
pub(crate) use reply::{Reply, Whole};
