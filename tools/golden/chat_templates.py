"""What transformers makes of chat templates: the truth of crates/models/tests/chat_templates.rs.

    python tools/golden/chat_templates.py FOLDER OUT.json

FOLDER has files `*.jinja`: `crates/models/tests/data/templates`, or others, which `CHAT_TEMPLATES=OUT.json` shows to the
same test.
"""

import copy
import itertools
import json
import pathlib
import sys

from transformers.utils import chat_template_utils as transformers

SPECIALS = {"bos_token": "<|bos|>", "eos_token": "<|eos|>", "unk_token": "<unk>"}


def call(name, arguments, number=1):
    return {"id": f"call0000{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def result(name, content, number=1):
    return {"role": "tool", "tool_call_id": f"call0000{number}", "name": name, "content": content}


def parts(*texts):
    return [{"type": "text", "text": text} for text in texts]


TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Tells <it> & \"more\".", "parameters": {
        "type": "object", "required": ["place"], "properties": {
            "place": {"type": "string", "description": "Where, e.g. Zürich"},
            "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
            "days": {"type": ["integer", "null"], "minimum": 1}}}}},
    {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {
        "type": "object", "required": ["x"], "properties": {
            "x": {"type": "number"}, "y": {"type": "array", "items": {"type": "integer"}},
            "z": {"type": "object", "properties": {"deep": {"type": "boolean"}}, "required": []}}}}},
]
USER = {"role": "user", "content": "What is it like in Zürich?"}
SYSTEM = {"role": "system", "content": "  You are <brief> & kind.\n"}
ANSWER = {"role": "assistant", "content": "It's fine.\n"}
AGAIN = {"role": "user", "content": " and   tomorrow? {{ x }} {% y %} 'q' \"d\" \n"}
ARGUMENTS = {"place": "Zürich", "days": 2, "ok": True, "no": None, "f": 1.0, "l": [1, "a", {"b": 2}]}
CHATS = {
    "user": [USER],
    "system": [SYSTEM, USER],
    "turns": [USER, ANSWER, AGAIN],
    "system_turns": [SYSTEM, USER, ANSWER, AGAIN, ANSWER, USER],
    "ends_with_answer": [SYSTEM, USER, ANSWER],
    "parts": [{"role": "user", "content": parts("one", "two")}],
    "all_in_parts": [
        {"role": "user", "content": parts("one")}, {"role": "assistant", "content": parts("two")},
        {"role": "user", "content": parts("three", "four")}],
    "image": [{"role": "user", "content": [{"type": "image"}, *parts("what is it?")]}],
    "reasoning": [USER, {**ANSWER, "reasoning_content": "I think.\nMore."}, AGAIN],
    "reasoning_last": [USER, {**ANSWER, "reasoning_content": "I think."}],
    "thoughts_in_text": [USER, {"role": "assistant", "content": "<think>\nwhy\n</think>\n\nanswer"}, AGAIN],
    "call": [USER, {"role": "assistant", "content": "", "tool_calls": [call("weather", ARGUMENTS)]},
             result("weather", "{\"t\": 20}")],
    "call_in_text": [SYSTEM, USER,
                     {"role": "assistant", "content": "Let me see.", "tool_calls": [call("weather", "{\"place\": \"a\"}")]},
                     result("weather", "20"), ANSWER, AGAIN],
    "two_calls": [USER, {"role": "assistant", "tool_calls": [call("weather", {"place": "a"}), call("add", {"x": 1.5}, 2)]},
                  result("weather", "20"), result("add", "3", 2), ANSWER, USER],
    "developer": [{"role": "developer", "content": "Be brief."}, USER],
    "odd": [{"role": "user", "content": "1 2\r\n3 𝄞 \u2028 \x07 \\ / é\n"}],
}
SETTINGS = [
    {},
    {"enable_thinking": False},
    {"tools": TOOLS},
    {"tools": TOOLS, "enable_thinking": True},
    {"tools": []},
    {"documents": [{"title": "T", "text": "Some text."}]},
]


def prepared(chat):
    """As it reaches a template: transformers leaves empty fields out, and adds older names of a message's reasoning."""
    chat = transformers._normalize_chat_messages(copy.deepcopy(chat))
    return transformers._alias_reasoning_fields(transformers._plain_template_data(chat))


def renderings(source):
    """Texts, each with the chats, settings and words for the answer that give it; what is refused is left out."""
    texts = {}
    for name, (index, settings), generate in itertools.product(CHATS, enumerate(SETTINGS), (True, False)):
        try:
            rendered, _ = transformers.render_jinja_template(
                [prepared(CHATS[name])], chat_template=source, add_generation_prompt=generate, **SPECIALS, **settings)
        except Exception:
            continue
        texts.setdefault(rendered[0], []).append([name, index, generate])
    return [{"text": text, "of": of} for text, of in texts.items()]


def main(folder, out):
    templates = []
    for path in sorted(pathlib.Path(folder).glob("*.jinja")):
        source = path.read_text()
        templates.append({"name": path.name, "source": source, "renderings": renderings(source)})
    chats = {name: prepared(chat) for name, chat in CHATS.items()}
    document = {"specials": SPECIALS, "chats": chats, "settings": SETTINGS, "templates": templates}
    # One line for each text and its cases.
    text = json.dumps(document, ensure_ascii=False).replace('{"text": ', '\n{"text": ')
    pathlib.Path(out).write_text(text + "\n")


main(*sys.argv[1:])
