"""Asks an encoder's server through OpenAI's own client, and says what it found: one line for each thing that holds.

usage: openai_embeddings.py http://127.0.0.1:8000/v1 API_KEY
"""

import math
import sys
from collections.abc import Callable

import openai
from openai import OpenAI

CHECKS: list[Callable[[OpenAI, str], None]] = []


def check(function: Callable[[OpenAI, str], None]) -> Callable[[OpenAI, str], None]:
    CHECKS.append(function)
    return function


@check
def one_text_has_one_vector_of_length_one(client: OpenAI, model: str) -> None:
    answer = client.embeddings.create(model=model, input="How fast is it?")
    assert answer.object == "list" and answer.model == model
    [item] = answer.data
    assert item.object == "embedding" and item.index == 0
    assert math.isclose(math.hypot(*item.embedding), 1.0, abs_tol=1e-4)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 2


@check
def both_encodings_say_the_same(client: OpenAI, model: str) -> None:
    # Without a format, the client asks for base64 and decodes it.
    texts = ["one", "two", "", "naïve 東京"]
    compact = client.embeddings.create(model=model, input=texts)
    plain = client.embeddings.create(model=model, input=texts, encoding_format="float")
    assert [item.index for item in compact.data] == [0, 1, 2, 3]
    for one, other in zip(compact.data, plain.data, strict=True):
        assert all(math.isclose(a, b, abs_tol=1e-7) for a, b in zip(one.embedding, other.embedding, strict=True))


@check
def token_ids_are_texts_too(client: OpenAI, model: str) -> None:
    answer = client.embeddings.create(model=model, input=[[101, 102], [101]])
    assert len(answer.data) == 2 and answer.usage.prompt_tokens == 3


@check
def what_is_too_long_is_refused_or_cut(client: OpenAI, model: str) -> None:
    text = "word " * 3000
    try:
        client.embeddings.create(model=model, input=text)
    except openai.BadRequestError as error:
        assert error.code == "context_length_exceeded" and error.param == "input", error.body
    else:
        raise AssertionError("a text of 3000 words was taken")
    client.embeddings.create(model=model, input=text, extra_body={"truncate_prompt_tokens": -1})


@check
def chats_are_refused_with_the_right_endpoint(client: OpenAI, model: str) -> None:
    try:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
    except openai.NotFoundError as error:
        assert "/v1/embeddings" in str(error), error
    else:
        raise AssertionError("an encoder has answered a chat")


def main() -> None:
    client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)
    [model] = client.models.list().data
    for function in CHECKS:
        function(client, model.id)
        print(function.__name__.replace("_", " "))


if __name__ == "__main__":
    main()
