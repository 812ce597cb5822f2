//! What the requests are: each command of the README's section on workloads, and what replays of
//! traces and classes leave in the result file.

use crate::hub::{COMMIT, hub};
use crate::shell::{Ran, Shell, provider, words};
use mock::{MockConfig, MockHandle};
use serde_json::Value;
use std::thread::JoinHandle;

/// What the README's commands name: samples, a hub and a server.
struct Samples {
    shell: Shell,
    server: String,
    _running: (MockHandle, JoinHandle<()>),
}

impl Samples {
    fn new() -> Self {
        let (hub, endpoint) = hub(|path| {
            let data_set = "openai/gsm8k";
            if path == format!("/api/datasets/{data_set}/revision/main") {
                let files = r#"[{"rfilename": "main/train.jsonl"}]"#;
                return Some(format!(r#"{{"sha": "{COMMIT}", "siblings": {files}}}"#).into_bytes());
            }
            let file = format!("/datasets/{data_set}/resolve/{COMMIT}/main/train.jsonl");
            let rows = include_bytes!("../../../workload/tests/data/gsm8k.jsonl");
            (path == file).then(|| rows.to_vec())
        });
        let (provider, server) = provider(MockConfig::default());
        let shell = with_samples()
            .set("HF_ENDPOINT", endpoint)
            .set("HF_HOME", "hf");
        Self {
            shell,
            server,
            _running: (provider, hub),
        }
    }

    /// Runs a command of the README, of which `http://localhost:8000/v1` is the server.
    fn run(&self, command: &str) -> Ran {
        let command = command.replace("http://localhost:8000/v1", &self.server);
        let arguments = unquoted(&command);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.shell.run_alone(&arguments)
    }
}

fn with_samples() -> Shell {
    let shell = Shell::new();
    let share_gpt = include_str!("../../../workload/tests/data/sharegpt.json");
    shell.write("sharegpt.json", share_gpt);
    shell.write(
        "dataset.json",
        r#"{"source": {"type": "file", "path": "prompts.csv"}, "prompt_column": "question"}"#,
    );
    shell.write("schema.json", r#"{"type": "object"}"#);
    shell.write(
        "tools.json",
        r#"[{"type": "function", "function": {"name": "look"}}]"#,
    );
    shell.write("bodies.jsonl", "{\"top_p\": 0.5}\n{\"top_p\": 0.9}\n");
    let mooncake = include_str!("../../../workload/tests/data/mooncake.jsonl");
    shell.write("traffic.jsonl", mooncake);
    shell.write(
        "prompts.csv",
        "id,question\n1,What is a heap?\n2,\"Why, and when?\"\n",
    );
    shell
}

/// The commands of a document, a line each, without the program's name.
fn commands(document: &str) -> Vec<String> {
    let mut blocks = document.split("```");
    let code: String = blocks
        .by_ref()
        .filter_map(|block| block.strip_prefix("bash\n"))
        .collect();
    let joined = code.replace("\\\n", " ");
    let lines = joined
        .lines()
        .filter(|line| line.starts_with("tokenomics "));
    lines
        .map(|line| line.trim_start_matches("tokenomics ").to_owned())
        .collect()
}

#[test]
fn every_command_of_the_document_on_workloads_has_a_plan() {
    let samples = Samples::new();
    let commands = commands(include_str!("../../../../docs/workloads.md"));
    assert!(commands.len() > 18, "{commands:?}");
    for command in commands {
        let command = format!("{command} --dry-run");
        let ran = samples.run(&command);
        assert_eq!(ran.code, Some(0), "{command}: {}", ran.stderr);
        assert!(ran.stdout.contains("Measure:"), "{command}: {}", ran.stdout);
    }
}

#[test]
fn every_chat_of_the_documents_on_questions_and_gates_has_a_plan() {
    let samples = Samples::new();
    let questions = commands(include_str!("../../../../docs/questions.md")).into_iter();
    let all = questions.chain(commands(include_str!("../../../../docs/ci.md")));
    let chats: Vec<String> = all.filter(|command| command.starts_with("chat ")).collect();
    assert!(chats.len() > 3, "{chats:?}");
    for command in chats {
        let ran = samples.run(&format!("{command} --dry-run"));
        if command.contains("--launch") {
            // It is understood, and not started.
            assert_eq!(ran.code, Some(2), "{command}: {}", ran.stderr);
            assert!(ran.stderr.contains("starts nothing"), "{}", ran.stderr);
            continue;
        }
        assert_eq!(ran.code, Some(0), "{command}: {}", ran.stderr);
        assert!(ran.stdout.contains("Measure:"), "{command}: {}", ran.stdout);
    }
}

#[test]
fn every_command_of_the_document_on_workloads_measures() {
    if std::env::var_os("RUN_SLOW_TESTS").is_none() {
        return;
    }
    let samples = Samples::new();
    // The shapes of the load before that take minutes.
    let document = include_str!("../../../../docs/workloads.md");
    let (_, requests) = document.split_once("\n## The requests\n").unwrap();
    for command in commands(requests) {
        let ran = samples.run(&command);
        // On a busy machine what was measured may be invalid.
        assert!(matches!(ran.code, Some(0 | 4)), "{command}: {}", ran.stderr);
        assert!(ran.stdout.contains("tokens/s"), "{command}: {}", ran.stdout);
    }
}

/// As a shell cuts it.
fn unquoted(command: &str) -> Vec<String> {
    let mut quoted = false;
    let mut arguments = vec![String::new()];
    for character in command.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => arguments.push(String::new()),
            other => arguments.last_mut().unwrap().push(other),
        }
    }
    arguments.retain(|argument| !argument.is_empty());
    arguments
}

#[test]
fn classes_have_results_and_objectives_of_their_own() {
    let shell = Shell::new();
    let (_, results) = shell.measure_with(
        &[
            "chat",
            "--mix",
            "rag=1,chat=1",
            "--class",
            "rag scenario=D(120,4) goodput=e2e:60000",
            "--ignore-eos",
            "--max-concurrency",
            "4",
            "--num-prompts",
            "40",
            "--no-plot",
            "--results-file",
            "run.json",
        ],
        "run.json",
    );
    let point = &results["results"]["4"];
    let (rag, chat) = (&point["classes"]["rag"], &point["classes"]["chat"]);
    let issued = |class: &Value| class["reliability"]["issued"].as_u64().unwrap();
    assert_eq!(issued(rag) + issued(chat), 40);
    assert!(issued(rag) > 5 && issued(chat) > 5);
    assert_eq!(rag["tokens"]["input_per_request"]["min"], 120.0);
    assert_eq!(rag["tokens"]["input_per_request"]["max"], 120.0);
    assert_eq!(rag["goodput"]["share"], 1.0);
    assert!(chat["goodput"].is_null() && point["goodput"].is_null());
    assert_eq!(point["prompt_lengths"]["exact_share"], 1.0);
}

#[test]
fn the_records_of_a_run_can_be_replayed() {
    let shell = Shell::new();
    let measure = |command: &str, file: &str| shell.measure(command, file).1;
    let first = measure(
        "chat --scenario U(60,90)/(3,9) --ignore-eos --max-concurrency 2 --num-prompts 20 --no-plot \
         --results-file first.json",
        "first.json",
    );
    let again = measure(
        "chat --trace first.records.parquet --ignore-eos --no-plot --results-file again.json",
        "again.json",
    );
    let tokens = |results: &Value, point: &str| {
        let tokens = &results["results"][point]["tokens"];
        (
            tokens["input_total"].clone(),
            tokens["output_total"].clone(),
        )
    };
    assert_eq!(tokens(&first, "2"), tokens(&again, "replay"));
    assert_eq!(
        again["results"]["replay"]["load"]["arrival"]["process"],
        "replay"
    );
}

#[test]
fn a_trace_is_replayed_at_its_own_times_and_what_it_was_taken_for_is_told() {
    let shell = Shell::new();
    let row = |id: u32, time: f64| {
        let ids = format!("[{id}, {}]", id + 1);
        format!(
            "{{\"chat_id\": {id}, \"parent_chat_id\": -1, \"timestamp\": {time}, \"input_length\": 60, \
             \"output_length\": 3, \"type\": \"text\", \"turn\": 1, \"hash_ids\": {ids}}}\n"
        )
    };
    shell.write(
        "bailian.jsonl",
        row(1, 61.0) + &row(3, 61.25) + &row(1, 61.5),
    );
    let (ran, results) = shell.measure(
        "chat --trace bailian.jsonl --ignore-eos --no-plot --results-file run.json",
        "run.json",
    );
    let told = "3 requests over 0.5 s; read as bailian with its times in seconds.";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    let point = &results["results"]["replay"];
    assert_eq!(point["load"]["arrival"]["rate"], 4.0);
    assert_eq!(point["tokens"]["input_per_request"]["min"], 60.0);
    assert_eq!(point["tokens"]["input_per_request"]["max"], 60.0);

    shell.write(
        "seconds.jsonl",
        "{\"timestamp\": 0.5, \"input_length\": 60, \"output_length\": 3}\n\
         {\"timestamp\": 1.5, \"input_length\": 60, \"output_length\": 3}\n",
    );
    let refused = shell.run(&words("chat --trace seconds.jsonl --dry-run"));
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("`--trace-time-unit s`"),
        "{}",
        refused.stderr
    );
    let read = shell.run(&words(
        "chat --trace seconds.jsonl --trace-time-unit s --dry-run",
    ));
    assert_eq!(read.code, Some(0), "{}", read.stderr);
    assert!(read.stderr.contains("over 1 s;"), "{}", read.stderr);
}

#[test]
fn what_makes_no_sense_of_a_workload_is_refused_with_the_way_out() {
    let shell = with_samples();
    shell.write("bad.jsonl", "{\"timestamp\": 1, \"input_length\": 2}\n");
    shell.write("columns.csv", "a,b\n1,2\n");
    for (command, sentence) in [
        (
            "chat --api-base http://localhost:1/v1 --scenario D(100,50)",
            "name it with `--tokenizer`",
        ),
        (
            "chat --scenario D(5,50)",
            "a prompt of 5 tokens has no room",
        ),
        (
            "chat --scenario X(5,50)",
            "`X(5,50)` is not a length scenario",
        ),
        (
            "chat --mix chat=1,sing=2",
            "the class `sing`, which is not built in",
        ),
        (
            "chat --mix chat=1 --class code",
            "which is not in --mix; it has chat",
        ),
        (
            "chat --ramp 1:2",
            "--ramp cannot read `1:2`; write it like 1:50:120s",
        ),
        (
            "chat --ramp 1:5:3s --burstiness 2",
            "--burstiness is 1 or inf where the rate changes",
        ),
        (
            "chat --trace columns.csv",
            "columns `a`, `b`, which is none of the formats",
        ),
        ("chat --trace bad.jsonl", "row 1 of the trace has no column"),
        (
            "chat --trace traffic.jsonl --trace-window 5s",
            "--trace-window must be two times",
        ),
        (
            "chat --trace traffic.jsonl --trace-share 2",
            "--trace-share must be above 0 and at most 1",
        ),
        (
            "chat --trace traffic.jsonl --trace-speed 0",
            "the speed of a trace must be above 0",
        ),
        (
            "chat --trace missing.jsonl",
            "cannot read --trace missing.jsonl",
        ),
        (
            "chat --tokenizer missing/model.json --scenario D(100,5)",
            "missing/model.json",
        ),
    ] {
        let ran = shell.run(&words(command));
        assert!(matches!(ran.code, Some(1 | 2)), "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains(sentence), "{command}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{command}");
    }
}

#[test]
fn conversations_go_on_with_the_servers_answers_and_every_turn_has_numbers() {
    let shell = Shell::new();
    let (_, results) = shell.measure(
        "chat --turns 2-4 --think-time exp:20ms --scenario D(60,6) --ignore-eos --max-concurrency 4 \
         --num-prompts 12 --no-plot --results-file run.json",
        "run.json",
    );
    let point = &results["results"]["4"];
    let held = &point["conversations"];
    assert_eq!(held["count"], 12);
    let input = |turn: usize| held["turns"][turn]["tokens"]["input_per_request"]["mean"].as_f64();
    assert_eq!(input(0), Some(60.0));
    // The first prompt, its answer, the new message and what the template adds.
    assert!(input(1).unwrap() >= 126.0, "{held}");
    assert_eq!(point["prompt_lengths"]["exact_share"], 1.0);
    assert_eq!(results["metadata"]["conversations"]["turns"][1], 4);
}

#[test]
fn conversations_that_make_no_sense_are_refused_with_the_way_out() {
    let shell = Shell::new();
    let refused = |line: &str| {
        let ran = shell.run(&words(line));
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
        ran.stderr
    };
    assert!(refused("chat --turns 3").contains("--max-concurrency N"));
    assert!(refused("chat --turns 3 --batch-sizes 4").contains("--batch-sizes"));
    assert!(refused("chat --turns 4-2 --max-concurrency 2").contains("from 1 to 10000"));
    assert!(refused("chat --turns dataset --max-concurrency 2").contains("such as 3"));
    assert!(refused("chat --turns x --max-concurrency 2").contains("2-6 or dataset"));
    assert!(refused("chat --think-time 1s").contains("--turns"));
    assert!(refused("chat --prefix-groups 8").contains("such as 4x2000"));
}
