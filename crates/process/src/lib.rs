//! Child processes that end with us, whatever happens to us.
//!
//! A child is not started directly but by a *guard*: this program again, in a process of its own, which starts the
//! child in a process group and holds the reading end of a pipe from us. When we end, well or by `SIGKILL`, the pipe
//! closes, and the guard ends the group and whatever has left it. Unlike a parent-death signal this needs no code
//! between fork and exec, reaches grandchildren, and does not depend on the thread that started the child.

mod child;
mod error;
mod guard;
mod memory;
mod neighbours;
pub mod preset;
mod spec;
mod system;
mod threads;

pub use child::{Child, Ended, Guard, Log};
pub use error::ProcessError;
pub use guard::{GuardOrder, guard};
pub use memory::memory_left;
pub use neighbours::{Neighbours, Used};
pub use spec::ChildSpec;
pub use system::{
    Listener, descendants, ignores, listener, memory, own_threads_cpu, processes_cpu,
    this_thread_cpu,
};
pub use threads::{ThreadLook, own_threads, this_thread, threads_of};
