//! What is written is read back, and what nobody wrote is refused.

mod arbitrary;
mod bombs;
mod hostile;
mod jsonl;
mod parts;
