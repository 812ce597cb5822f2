//! What a model would have to do, done by script. Pure, but for vectors that are kept.

use crate::answer::{Account, Answer, Outcome};
use crate::circumstances::Circumstances;
use crate::completion::Completion;
use crate::pooling::{self, Pooling};
use crate::request::Request;
use crate::script::{End, Script};
use crate::vectors::Vectors;
use crate::{Fault, MockConfig, fault_choice};
use http1::Envelope;
use openai::{Endpoint, FrameStyle, RequestView};

/// Most choices of one prompt, as the API has it.
const CHOICES_MAX: u32 = 128;
/// Most choices of all prompts of one request.
const CHOICES_OF_ALL_MAX: u32 = 4_096;

/// What a model would have to do.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    Completion(Endpoint),
    Pooling(Pooling),
}

/// What a request asks for.
enum Asked<'a> {
    Completion(Endpoint, RequestView),
    /// And the body, not read yet.
    Pooling(Pooling, &'a [u8]),
}

/// Does a model's work, or says why the request asks for none.
pub(crate) fn serve(
    config: &MockConfig,
    vectors: &mut Vectors,
    request: &Request<'_>,
    work: Work,
    circumstances: Circumstances,
) -> Result<Answer, String> {
    let envelope = Envelope::of(request.head);
    let fault = fault_choice::of(config, request, circumstances)?;
    let fault = fault.as_deref();
    let outcome = match fault {
        // They happen to somebody else: to the server, or to the next request.
        None | Some(Fault::Freeze { .. } | Fault::Stale) => Outcome::Complete,
        Some(_) => Outcome::Fault,
    };
    let failed = |script| Answer {
        account: Account {
            outcome: Outcome::Fault,
            ..Account::default()
        },
        ..Answer::refused(script)
    };
    if fault == Some(&Fault::Stale) && circumstances.earlier_on_connection > 0 {
        return Ok(failed(Script::silent(End::Close)));
    }
    let asked = match work {
        Work::Completion(endpoint) => Asked::Completion(endpoint, view(request.body, endpoint)?),
        Work::Pooling(pooling) => Asked::Pooling(pooling, request.body),
    };
    let instead = fault.and_then(|fault| fault_choice::instead(fault, &envelope));
    if let Some(bytes) = instead {
        return Ok(failed(Script::whole(bytes, &envelope)));
    }
    let (script, stream, account) = match &asked {
        Asked::Completion(endpoint, view) => {
            completion(config, view, *endpoint, &envelope, fault, circumstances)
        }
        Asked::Pooling(pooling, body) => {
            let what = (*pooling, *body);
            pooled(config, vectors, what, &envelope, fault, circumstances)?
        }
    };
    Ok(Answer {
        script,
        served: true,
        stream,
        account: Account { outcome, ..account },
        freeze: fault
            .filter(|fault| matches!(fault, Fault::Freeze { .. }))
            .cloned(),
    })
}

fn view(body: &[u8], endpoint: Endpoint) -> Result<RequestView, String> {
    let view = RequestView::parse(body, endpoint).map_err(|refused| refused.to_string())?;
    if !(1..=CHOICES_MAX).contains(&view.n) {
        return Err(format!("`n` is {}; it must be 1 to {CHOICES_MAX}", view.n));
    }
    let choices = view.n.saturating_mul(view.prompts);
    if choices > CHOICES_OF_ALL_MAX {
        return Err(format!(
            "{} prompts with {} choices each are {choices} choices; {CHOICES_OF_ALL_MAX} are the most",
            view.prompts, view.n
        ));
    }
    Ok(view)
}

fn completion(
    config: &MockConfig,
    view: &RequestView,
    endpoint: Endpoint,
    envelope: &Envelope<'_>,
    fault: Option<&Fault>,
    circumstances: Circumstances,
) -> (Script, bool, Account) {
    let prefix = match endpoint {
        Endpoint::ChatCompletions => "chatcmpl",
        Endpoint::Completions => "cmpl",
        Endpoint::Responses => "resp",
    };
    let style = FrameStyle {
        endpoint,
        id: &format!("{prefix}-{}", circumstances.sequence),
        model: view.model.as_deref().unwrap_or(&config.model),
        created: circumstances.created,
    };
    let completion = Completion::new(config, view, style, fault, circumstances);
    let account = Account {
        prompt_tokens: completion.prompt_tokens,
        choices: completion.choices,
        limited: completion.limited,
        ..Account::default()
    };
    (Script::of(&completion, envelope), view.stream, account)
}

fn pooled(
    config: &MockConfig,
    vectors: &mut Vectors,
    (pooling, body): (Pooling, &[u8]),
    envelope: &Envelope<'_>,
    fault: Option<&Fault>,
    circumstances: Circumstances,
) -> Result<(Script, bool, Account), String> {
    let Circumstances {
        sequence, created, ..
    } = circumstances;
    let pooled = pooling::answer(config, vectors, pooling, body, sequence, created)?;
    let account = Account {
        prompt_tokens: pooled.prompt_tokens,
        choices: 1,
        ..Account::default()
    };
    let script = Script::in_one(pooled.at, &pooled.body, 0, envelope, fault);
    Ok((script, false, account))
}
