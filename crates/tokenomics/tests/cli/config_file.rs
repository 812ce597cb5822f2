use crate::shell::{Shell, provider};
use mock::MockConfig;

fn dry_run(shell: &Shell, arguments: &[&str]) -> String {
    let ran = shell.run(&[&["chat", "--config", "run.toml", "--dry-run"], arguments].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout
}

#[test]
fn flags_come_from_a_file_and_what_is_typed_wins() {
    let shell = Shell::new();
    shell.write(
        "run.toml",
        "batch_sizes = [2, 3]\nmodel = \"m\"\napi_base = \"http://localhost:1/v1\"\nmax-tokens = 7\n",
    );
    let plan = dry_run(&shell, &[]);
    assert!(
        plan.contains("batch 2") && plan.contains("batch 3"),
        "{plan}"
    );
    assert!(plan.contains("Model:     m\n"), "{plan}");
    let plan = dry_run(&shell, &["--batch_sizes", "5"]);
    assert!(
        plan.contains("batch 5") && !plan.contains("batch 2"),
        "{plan}"
    );
}

#[test]
fn a_flag_that_is_typed_several_times_is_a_list_in_the_file() {
    let shell = Shell::new();
    let (_server, url) = provider(MockConfig::default());
    shell.write(
        "run.toml",
        "goodput = [\"ttft:900\", \"e2e:9000\"]\nheader = [\"X-One: 1\", \"X-Two: 2\"]\n",
    );
    let command = format!(
        "chat --config run.toml --api_base {url} \
         --batch-sizes 1 --max-tokens 2 --results-file run.json"
    );
    let (_, results) = shell.measure(&command, "run.json");
    let names = results["metadata"]["header_names"].as_array().unwrap();
    assert_eq!(names, &["X-One", "X-Two"]);
    assert_eq!(results["results"]["1"]["goodput"]["share"], 1.0);
}

#[test]
fn a_file_that_holds_no_flags_is_refused() {
    let shell = Shell::new();
    shell.write("table.toml", "[load]\nrate = 1\n");
    shell.write("cut.toml", "model = ");
    shell.write("unknown.toml", "batch = 1\n");
    insta::assert_snapshot!(shell.transcript([
        &["chat", "--config", "nowhere.toml"][..],
        &["chat", "--config", "table.toml"],
        &["chat", "--config", "cut.toml"],
        &["chat", "--config", "unknown.toml"],
    ]));
}
