//! The engine over a toy model whose cache is real: what is in the blocks decides what is said.

mod abort;
mod admission;
mod fault;
mod fork;
mod prefix;
mod random;
mod scenario;
mod schedule;
mod texts;
mod toy;
mod virtual_time;
