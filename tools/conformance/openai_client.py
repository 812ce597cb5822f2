"""Asks a server through OpenAI's own client, and says what it found: one line for each thing that holds.

usage: openai_client.py http://127.0.0.1:8000/v1 API_KEY
"""

import sys
from collections.abc import Callable

import openai
from openai import OpenAI

CHAT = [{"role": "user", "content": "What is the capital of France?"}]
CHECKS: list[Callable[[OpenAI, str], None]] = []


def check(function: Callable[[OpenAI, str], None]) -> Callable[[OpenAI, str], None]:
    CHECKS.append(function)
    return function


@check
def the_model_is_listed(client: OpenAI, model: str) -> None:
    assert client.models.retrieve(model).id == model


@check
def chat(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=CHAT, max_tokens=8, temperature=0)
    assert answer.object == "chat.completion" and answer.model == model
    [choice] = answer.choices
    assert choice.message.role == "assistant" and choice.finish_reason in ("length", "stop")
    usage = answer.usage
    assert usage.prompt_tokens > 0 and 0 < usage.completion_tokens <= 8
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details.cached_tokens >= 0


@check
def a_stream_says_what_the_whole_answer_says(client: OpenAI, model: str) -> None:
    asked = {"model": model, "messages": CHAT, "max_tokens": 24, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content, (text, whole)
    ends = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    assert ends == [whole.choices[0].finish_reason]
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])


@check
def two_choices(client: OpenAI, model: str) -> None:
    asked = {"model": model, "messages": CHAT, "n": 2, "max_tokens": 12, "temperature": 1.0, "seed": 7}
    whole = client.chat.completions.create(**asked)
    assert [choice.index for choice in whole.choices] == [0, 1]
    texts = {0: "", 1: ""}
    for chunk in client.chat.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert [choice.message.content for choice in whole.choices] == [texts[0], texts[1]]
    assert texts[0] != texts[1], "two choices of a random text are two texts"


@check
def a_stop_string_ends_the_text_before_itself(client: OpenAI, model: str) -> None:
    asked = {"model": model, "messages": CHAT, "max_tokens": 24, "temperature": 0}
    text = client.chat.completions.create(**asked).choices[0].message.content
    stop = text[4:7]
    choice = client.chat.completions.create(**asked, stop=stop).choices[0]
    assert choice.message.content == text[: text.index(stop)] and choice.finish_reason == "stop"


@check
def logprobs(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=CHAT, max_tokens=5, temperature=0, logprobs=True, top_logprobs=3
    )
    tokens = answer.choices[0].logprobs.content
    assert len(tokens) == answer.usage.completion_tokens
    for token in tokens:
        best = [top.logprob for top in token.top_logprobs]
        assert len(best) == 3 and best == sorted(best, reverse=True)
        assert abs(token.logprob - best[0]) < 1e-6 and token.logprob <= 0, "greedy takes the most probable"
        assert token.bytes is None or isinstance(token.bytes, list)


@check
def completions(client: OpenAI, model: str) -> None:
    asked = {"model": model, "prompt": "The capital of France is", "max_tokens": 8, "temperature": 0}
    whole = client.completions.create(**asked)
    text = "".join(chunk.choices[0].text for chunk in client.completions.create(**asked, stream=True))
    assert whole.object == "text_completion" and whole.choices[0].text == text


@check
def errors_are_those_of_the_api(client: OpenAI, model: str) -> None:
    def error(kind: type[openai.APIStatusError], **changes: object) -> str:
        asked = {"model": model, "messages": CHAT, "max_tokens": 4} | changes
        try:
            client.chat.completions.create(**asked)
        except kind as raised:
            return str(raised.body["message"])
        raise AssertionError(f"no {kind.__name__} for {changes}")

    assert "no-such-model" in error(openai.NotFoundError, model="no-such-model")
    assert "max_tokens" in error(openai.BadRequestError, max_tokens=-1)
    assert "temperature" in error(openai.BadRequestError, temperature=-1.0)
    assert "role" in error(openai.BadRequestError, messages=[{"content": "no role"}])
    stranger = client.with_options(api_key="wrong")
    try:
        stranger.models.list()
    except openai.AuthenticationError:
        return
    raise AssertionError("a wrong key was taken")


@check
def a_stream_that_is_left_leaves_the_server_well(client: OpenAI, model: str) -> None:
    stream = client.chat.completions.create(model=model, messages=CHAT, max_tokens=200, stream=True)
    next(iter(stream))
    stream.close()
    chat(client, model)


def main() -> None:
    client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0, timeout=60)
    model = client.models.list().data[0].id
    for function in CHECKS:
        function(client, model)
        print(function.__name__.replace("_", " "))


if __name__ == "__main__":
    main()
