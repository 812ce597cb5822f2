//! Prompts that plans only name are made when they are wanted.

use load::PromptMaker;
use testkit::{Reply, ScriptedServer, Setup, closed, run_plan};
use trace::{Plan, PlannedRequest, Prompt};

#[tokio::test(start_paused = true)]
async fn what_is_made_is_what_is_sent_and_records_keep_its_class() {
    let plan = closed(2, 4);
    let cards = plan.requests.into_iter().map(|planned| PlannedRequest {
        prompt: Prompt::Card {
            number: 100 + planned.id,
        },
        class: 1,
        ..planned
    });
    let plan = Plan {
        requests: cards.collect(),
        ..plan
    };
    let server = ScriptedServer::new(|_| Reply::tokens(&[5]));
    let setup = Setup {
        prompts: Some(PromptMaker::new(|planned| match planned.prompt {
            Prompt::Card { number } => Ok(Prompt::user(format!("made {number}"))),
            _ => Err("asked for what is there".to_owned()),
        })),
        ..Setup::on(server.clock())
    };
    let run = run_plan(server.pipes(), &plan, &setup).await;
    assert!(run.records.iter().all(|record| record.class == 1));
    for number in 100..104 {
        let text = format!("\"content\":\"made {number}\"");
        let seen = server.seen();
        assert_eq!(
            seen.iter().filter(|seen| seen.body.contains(&text)).count(),
            1
        );
    }
}
