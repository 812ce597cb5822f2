"""A mock provider on aiohttp, as benchmarks of gateways in Python have one: what `cargo xtask bench mock` compares with.

usage: aiohttp_mock.py PORT
"""

import json
import sys

from aiohttp import web


def chunk(delta: dict, reason: str | None = None) -> bytes:
    event = {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "mock",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }
    return b"data: " + json.dumps(event).encode() + b"\n\n"


async def complete(request: web.Request) -> web.StreamResponse:
    asked = json.loads(await request.read())
    tokens = int(asked.get("max_tokens", 16))
    if not asked.get("stream"):
        message = {"role": "assistant", "content": " the" * tokens}
        choice = {"index": 0, "message": message, "finish_reason": "length"}
        usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
        return web.json_response(
            {"id": "chatcmpl-mock", "object": "chat.completion", "created": 0, "model": "mock", "choices": [choice], "usage": usage}
        )
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for _ in range(tokens):
        await response.write(chunk({"content": " the"}))
    await response.write(chunk({}, "length"))
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def main() -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
