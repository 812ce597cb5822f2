//! File descriptors belong to the whole process, so this test has one of its own.

#[path = "serve/support.rs"]
mod support;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use support::{Client, Fake, completion, config, get, post, server, until};

#[test]
fn fault_50_emfile_on_accept() {
    let server = server(config(), Fake::default());
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    assert_eq!(get(server.addr(), "/health").status, 200);
    // The server's end of that connection would come back in the middle of what follows.
    until("the connection is closed", || open() == before);
    let limit = getrlimit(Resource::Nofile);
    let low = Rlimit {
        current: Some(64),
        ..limit
    };
    setrlimit(Resource::Nofile, low).unwrap();
    // The client's own end comes first, then all that is left is taken away.
    let waiting = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(taken.len() > 16, "the limit is in force");
    drop(waiting);
    // This takes the one that was given back: the server can accept nothing now.
    let mut client = Client::connect(server.addr());
    assert!(File::open("/dev/null").is_err());
    client.post("/v1/completions", &completion(""));
    // Nor can it later: the backlog keeps the connection, and the loop goes on trying.
    std::thread::yield_now();
    taken.truncate(4);
    assert_eq!(client.answer().status, 200);
    drop(taken);
    setrlimit(Resource::Nofile, limit).unwrap();
    assert_eq!(
        post(server.addr(), "/v1/completions", &completion("")).status,
        200
    );
}
