use crate::shell::Shell;

fn help(arguments: &[&str]) -> String {
    let ran = Shell::new().run(arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    ran.stdout
}

#[test]
fn the_program_lists_its_verbs() {
    insta::assert_snapshot!("program", help(&["-h"]));
    insta::assert_snapshot!("program_long", help(&["--help"]));
}

#[test]
fn every_verb_has_a_short_help() {
    for verb in ["chat", "scheduler", "serve", "mock", "plot", "report"] {
        insta::assert_snapshot!(verb, help(&[verb, "-h"]));
    }
}

#[test]
fn every_verb_has_a_long_help_with_examples() {
    for verb in ["chat", "scheduler", "serve", "mock", "plot", "report"] {
        let long = help(&[verb, "--help"]);
        assert!(long.contains("Examples:"), "{verb}");
        insta::assert_snapshot!(format!("{verb}_long"), long);
    }
}

#[test]
fn completions_and_manual_pages_cover_every_verb() {
    let shell = Shell::new();
    let script = shell.run(&["completions", "bash"]);
    assert!(script.stdout.contains("--batch-sizes"));
    assert_eq!(shell.run(&["man", "pages"]).code, Some(0));
    for verb in ["chat", "scheduler", "serve", "mock", "plot", "report"] {
        let page = shell.read(&format!("pages/tokenomics-{verb}.1"));
        assert!(page.contains(".SH OPTIONS"), "{verb}");
    }
}

#[test]
fn wrong_usage_names_what_was_meant_and_ends_with_2() {
    insta::assert_snapshot!(Shell::new().transcript([
        &["bench"][..],
        &["chat", "--batch-size", "8"],
        &["plot", "only.json"],
        &["chat", "--batch_sizes", "1", "--request-rate", "2"],
    ]));
}
