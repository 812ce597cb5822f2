//! Records in, numbers and verdicts out.

mod alarms;
mod answers;
mod builder;
mod capacity;
mod compare;
mod consequence;
mod conversations;
mod coverage;
mod judged;
mod lumps;
mod queues;
mod request;
mod server;
mod simulated;
mod slow_queue;
mod summary;
mod throughput;
mod timeline;
mod verdict;
