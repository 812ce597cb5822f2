use crate::support::{
    Client, Fake, Gate, PATIENCE, completion, config, get, metric, post, said, scheduler, server,
    until,
};
use engine::SchedulerConfig;
use serve::{HttpLimits, ServeConfig, ServeHandle};
use std::sync::LazyLock;
use std::time::Duration;

/// One sequence at a time.
fn narrow() -> ServeConfig {
    ServeConfig {
        scheduler: SchedulerConfig {
            sequences_max: 1,
            queue_max: 1,
            ..scheduler()
        },
        ..config()
    }
}

fn stream(fields: &str) -> String {
    completion(&format!(r#","stream":true{fields}"#))
}

/// Waits until the server has noticed that all but `left` clients are gone.
fn noticed(server: &ServeHandle, left: usize) {
    until("the server notices who is gone", || {
        server.answers() == left
    });
}

/// Lets one step end. Commands that came meanwhile are taken before the next one.
fn one_step(server: &ServeHandle, gate: &Gate, running: usize) {
    gate.step();
    until("the step's counts are there", || {
        let gauges = server.gauges();
        (gauges.running, gauges.waiting) == (running, 0)
    });
}

fn all_given_back(server: &ServeHandle) {
    let gauges = server.gauges();
    assert_eq!(
        (gauges.running, gauges.waiting, gauges.blocks_owned),
        (0, 0, 0)
    );
    assert_eq!(
        gauges.blocks_free + gauges.blocks_cached,
        gauges.blocks_total
    );
}

#[test]
fn fault_41_disconnect_while_queued() {
    let (model, gate) = Fake::gated();
    let server = server(narrow(), model);
    let mut first = Client::connect(server.addr());
    first.post("/v1/completions", &stream(""));
    gate.entered();
    let mut second = Client::connect(server.addr());
    second.post("/v1/completions", &stream(""));
    until("the second is let in", || server.answers() == 2);
    gate.step();
    gate.entered();
    assert_eq!((server.gauges().running, server.gauges().waiting), (1, 1));
    drop(second);
    noticed(&server, 1);
    one_step(&server, &gate, 1);
    drop(gate);
    assert_eq!(first.answer().events().last().unwrap(), "[DONE]");
}

#[test]
fn fault_41_disconnect_in_prefill() {
    let (model, gate) = Fake::gated();
    let server = server(config(), model);
    let mut client = Client::connect(server.addr());
    // More than two steps' worth of prompt.
    let body = format!(r#"{{"prompt":"{}","stream":true}}"#, "p".repeat(200));
    client.post("/v1/completions", &body);
    gate.entered();
    gate.step();
    gate.entered();
    assert!(server.gauges().blocks_owned > 0);
    drop(client);
    noticed(&server, 0);
    one_step(&server, &gate, 0);
    all_given_back(&server);
}

#[test]
fn fault_41_disconnect_in_decode() {
    let (model, gate) = Fake::gated();
    let server = server(config(), model);
    let mut client = Client::connect(server.addr());
    client.post("/v1/completions", &stream(r#","max_tokens":400"#));
    assert_eq!(client.head().status, 200);
    for _ in 0..3 {
        gate.entered();
        gate.step();
        assert!(!client.chunk().is_empty());
    }
    gate.entered();
    drop(client);
    noticed(&server, 0);
    one_step(&server, &gate, 0);
    all_given_back(&server);
    drop(gate);
    assert_eq!(
        metric(server.addr(), "tokenomics:requests_aborted_total"),
        1.0
    );
    assert_eq!(
        metric(
            server.addr(),
            "vllm:request_success_total{finished_reason=\"abort\""
        ),
        1.0
    );
}

#[test]
fn fault_41_disconnect_at_the_last_token() {
    let (model, gate) = Fake::gated();
    let server = server(config(), model);
    let mut client = Client::connect(server.addr());
    client.post("/v1/completions", &stream(r#","max_tokens":1"#));
    gate.entered();
    drop(client);
    noticed(&server, 0);
    one_step(&server, &gate, 0);
    all_given_back(&server);
}

#[test]
fn fault_41_disconnect_before_headers() {
    let (model, gate) = Fake::gated();
    let server = server(config(), model);
    let mut first = Client::connect(server.addr());
    first.post("/v1/completions", &stream(r#","max_tokens":400"#));
    gate.entered();
    // The step is not at its end, so these have no word yet; one is no stream at all.
    let mut second = Client::connect(server.addr());
    second.post("/v1/completions", &stream(""));
    let mut third = Client::connect(server.addr());
    third.post("/v1/completions", &completion(""));
    until("they are let in", || server.answers() == 3);
    drop((second, third));
    noticed(&server, 1);
    gate.step();
    gate.entered();
    assert_eq!((server.gauges().running, server.gauges().waiting), (1, 0));
    drop(first);
    noticed(&server, 0);
    one_step(&server, &gate, 0);
    all_given_back(&server);
}

#[test]
fn fault_42_slow_reader() {
    let server = server(
        ServeConfig {
            pieces_waiting_max: 32,
            scheduler: SchedulerConfig {
                blocks: 1 << 16,
                context_tokens: 1 << 18,
                ..scheduler()
            },
            http: HttpLimits {
                send_buffer_bytes: Some(4096),
                ..HttpLimits::default()
            },
            ..config()
        },
        Fake::default(),
    );
    let mut slow = Client::connect(server.addr());
    slow.post("/v1/completions", &stream(r#","max_tokens":200000"#));
    assert_eq!(slow.head().status, 200);
    until("the slow one is given up", || {
        let gauges = server.gauges();
        gauges.running + gauges.waiting == 0
    });
    all_given_back(&server);
    assert_eq!(metric(server.addr(), "tokenomics:slow_readers_total"), 1.0);
    // Nobody else is touched.
    let other = post(
        server.addr(),
        "/v1/completions",
        &completion(r#","max_tokens":300"#),
    );
    assert_eq!(other.json()["choices"][0]["text"], said(1, 300));
    // What it reads then ends with an error.
    let mut last = Vec::new();
    loop {
        let chunk = slow.chunk();
        if chunk.is_empty() {
            break;
        }
        last = chunk;
    }
    let last = String::from_utf8(last).unwrap();
    assert!(
        last.contains(r#""code":"slow_reader""#) && last.contains("32 pieces"),
        "{last}"
    );
}

#[test]
fn fault_43_kv_full() {
    let load = |blocks| {
        let options = models::LoadOptions {
            dtype: models::DType::F32,
            threads: 1,
            kv_blocks: Some(blocks),
            kv_bytes: 0,
            kv_bytes_max: 1 << 40,
            context_tokens: None,
        };
        models::load(&models::ModelSpec::parse("random:tiny").unwrap(), &options).unwrap()
    };
    let bodies: Vec<String> = (0..4)
        .map(|index| {
            format!(r#"{{"prompt":"prompt number {index}","max_tokens":100,"temperature":0,"ignore_eos":true}}"#)
        })
        .collect();
    let text = |client: &mut Client| client.answer().json()["choices"][0]["text"].clone();
    let roomy = serve::spawn(config(), load(256)).unwrap();
    let alone: Vec<_> = bodies
        .iter()
        .map(|body| text(Client::connect(roomy.addr()).post("/v1/completions", body)))
        .collect();
    // Each needs 8 blocks at its end; all at once need 32.
    let full = serve::spawn(config(), load(12)).unwrap();
    let mut clients: Vec<Client> = bodies
        .iter()
        .map(|body| {
            let mut client = Client::connect(full.addr());
            client.post("/v1/completions", body);
            client
        })
        .collect();
    let together: Vec<_> = clients.iter_mut().map(text).collect();
    assert_eq!(together, alone);
    assert!(full.gauges().preemptions > 0);
}

#[test]
fn fault_44_can_never_fit() {
    let (model, gate) = Fake::gated();
    let server = server(
        ServeConfig {
            scheduler: SchedulerConfig {
                blocks: 4,
                ..scheduler()
            },
            ..config()
        },
        model,
    );
    let mut running = Client::connect(server.addr());
    running.post("/v1/completions", &stream(""));
    gate.entered();
    // The refusal comes while a step is on its way.
    let refused = post(
        server.addr(),
        "/v1/completions",
        &completion(r#","max_tokens":65"#),
    );
    assert_eq!(refused.status, 400);
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "context_length_exceeded");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains('5') && message.contains('4'), "{message}");
    drop(gate);
    // What just fits is taken; without a length it is what fits.
    let fits = post(
        server.addr(),
        "/v1/completions",
        &completion(r#","max_tokens":64"#),
    );
    assert_eq!(fits.status, 200);
    let chat = r#"{"messages":[{"role":"user","content":"x"}]}"#;
    let json = post(server.addr(), "/v1/chat/completions", chat).json();
    assert_eq!(json["usage"]["total_tokens"], 65);
}

#[test]
fn fault_45_queue_full() {
    let (model, gate) = Fake::gated();
    let server = server(narrow(), model);
    let mut clients = Vec::new();
    for answers in 1..=2 {
        let mut client = Client::connect(server.addr());
        client.post("/v1/completions", &completion(""));
        until("it is let in", || server.answers() == answers);
        clients.push(client);
    }
    gate.entered();
    // The engine is within a step and says nothing; the refusal does not wait for it.
    let refused = post(server.addr(), "/v1/completions", &completion(""));
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
    assert_eq!(
        metric(
            server.addr(),
            "tokenomics:requests_rejected_total{reason=\"queue_full\""
        ),
        1.0
    );
    drop(gate);
    for mut client in clients {
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn fault_46_drain() {
    let (model, gate) = Fake::gated();
    let server = server(narrow(), model);
    let (running, queued) = (
        &mut Client::connect(server.addr()),
        &mut Client::connect(server.addr()),
    );
    let idle = &mut Client::connect(server.addr());
    assert_eq!(idle.get("/health/ready").answer().status, 200);
    running.post("/v1/completions", &stream(""));
    gate.entered();
    queued.post("/v1/completions", &completion(""));
    until("both are let in", || server.answers() == 2);
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| server.shutdown());
        until("readiness is gone", || {
            get(server.addr(), "/health/ready").status == 503
        });
        assert_eq!(get(server.addr(), "/health").status, 200);
        let refused = post(server.addr(), "/v1/completions", &completion(""));
        assert_eq!(refused.status, 503);
        assert_eq!(refused.json()["error"]["code"], "draining");
        drop(gate);
        assert_eq!(running.answer().events().last().unwrap(), "[DONE]");
        assert_eq!(queued.answer().json()["choices"][0]["text"], said(1, 16));
        assert_eq!(stopped.join().unwrap(), 0);
    });
    assert!(idle.closed());
    assert!(std::net::TcpStream::connect(server.addr()).is_err());
}

#[test]
fn fault_47_drain_time_out() {
    let (model, gate) = Fake::gated();
    let mut config = narrow();
    config.drain = Duration::from_millis(20);
    // So long an answer that it cannot come to its end.
    config.scheduler.context_tokens = 1 << 20;
    config.scheduler.blocks = 1 << 16;
    let server = server(config, model);
    let mut running = Client::connect(server.addr());
    running.post("/v1/completions", &stream(r#","max_tokens":1000000"#));
    gate.entered();
    let mut queued = Client::connect(server.addr());
    queued.post("/v1/completions", &completion(""));
    until("both are let in", || server.answers() == 2);
    std::thread::scope(|scope| {
        let read = scope.spawn(|| running.answer().events().pop().unwrap());
        let stopped = scope.spawn(|| server.shutdown());
        drop(gate);
        assert_eq!(stopped.join().unwrap(), 2);
        let last = read.join().unwrap();
        assert!(last.contains(r#""code":"server_stopped""#), "{last}");
    });
    let answered = queued.answer();
    assert_eq!(answered.status, 503);
    assert_eq!(answered.json()["error"]["code"], "server_stopped");
    all_given_back(&server);
}

#[test]
fn fault_48_the_model_panics() {
    let (gated, gate) = Fake::gated();
    let model = Fake {
        panics_at: Some(u32::from(b'!')),
        ..gated
    };
    let server = server(config(), model);
    let mut first = Client::connect(server.addr());
    first.post("/v1/completions", &stream(r#","max_tokens":400"#));
    gate.entered();
    let mut second = Client::connect(server.addr());
    second.post("/v1/completions", r#"{"prompt":"!"}"#);
    until("both are let in", || server.answers() == 2);
    drop(gate);
    let events = first.answer().events();
    assert!(
        events.last().unwrap().contains(r#""code":"engine_failed""#),
        "{events:?}"
    );
    assert_eq!(second.answer().status, 503);
    let health = get(server.addr(), "/health");
    assert_eq!(health.status, 503);
    assert!(health.text().contains("panicked"), "{}", health.text());
    assert_eq!(get(server.addr(), "/health/ready").status, 503);
    assert_eq!(
        post(server.addr(), "/v1/completions", &completion("")).status,
        503
    );
    assert_eq!(server.gauges().running, 0);
    assert_eq!(server.shutdown(), 0);
}

#[test]
fn fault_48_a_step_that_fails_takes_its_requests_and_no_more() {
    let model = Fake {
        fails_at: Some(u32::from(b'!')),
        ..Fake::default()
    };
    let server = server(config(), model);
    let answered = post(
        server.addr(),
        "/v1/completions",
        r#"{"prompt":"!","stream":true}"#,
    );
    let events = answered.events();
    assert!(
        events.last().unwrap().contains("no more numbers"),
        "{events:?}"
    );
    assert_eq!(get(server.addr(), "/health").status, 200);
    assert_eq!(
        post(server.addr(), "/v1/completions", &completion("")).status,
        200
    );
    all_given_back(&server);
}

#[test]
fn fault_49_slowloris() {
    assert_eq!(HttpLimits::default().head, Duration::from_secs(10));
    let limits = HttpLimits {
        head: Duration::from_millis(100),
        body: Duration::from_millis(100),
        write_stall: Duration::from_millis(100),
        idle: PATIENCE,
        send_buffer_bytes: Some(4096),
        ..HttpLimits::default()
    };
    let server = server(
        ServeConfig {
            http: limits,
            ..config()
        },
        Fake::default(),
    );
    testkit::manners::the_slow_are_given_up(&host(&server));
}

/// More tokens than bytes of memory would be lent for.
static LONG: LazyLock<String> =
    LazyLock::new(|| format!(r#"{{"prompt":"{}"}}"#, "a".repeat(100_000)));

fn host(server: &ServeHandle) -> testkit::manners::Host<'static> {
    testkit::manners::Host {
        addr: server.addr(),
        path: "/v1/completions",
        fields: r#""prompt":"a","max_tokens":4"#,
        long: ("/tokenize", LONG.as_str()),
    }
}

#[test]
fn every_client_is_answered_as_http_has_it() {
    let server = server(config(), Fake::default());
    testkit::manners::every_client_is_answered(&host(&server));
    testkit::manners::what_is_ambiguous_is_refused(&host(&server));
}

#[test]
fn fault_65_a_flood_leaves_room_for_small_requests() {
    let limits = HttpLimits {
        connections_max: 8,
        guest_head: Duration::from_mins(1),
        held_bytes_max: 1 << 20,
        ..HttpLimits::default()
    };
    let server = server(
        ServeConfig {
            http: limits,
            ..config()
        },
        Fake::default(),
    );
    testkit::manners::floods_leave_room_for_small_requests(&host(&server));
    let limits = HttpLimits {
        connections_max: 100,
        send_buffer_bytes: Some(4096),
        ..limits
    };
    let server = crate::support::server(
        ServeConfig {
            http: limits,
            ..config()
        },
        Fake::default(),
    );
    testkit::manners::answers_that_nobody_reads_share_what_there_is(&host(&server));
}
