"""What transformers computes in f32 from SmolLM2's GGUF file, and llama.cpp's perplexity of a text from the same file.

usage: smollm2.py MODEL.gguf crates/models/tests/data            (needs torch, transformers, gguf)
       smollm2.py --perplexity MODEL.gguf crates/models/tests/data   (needs llama-cpp-python)
"""

import json
import math
import pathlib
import sys

PROMPTS = [
    "The capital of France is",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "Water boils at a temperature of",
    "In 1969, the first people walked on the moon. Their names were",
    "SELECT name, count(*) FROM users WHERE",
    "Dear Sir or Madam,\n\nI am writing to",
    "The three primary colours are red,",
    "<p>Hello</p>\n<ul>\n  <li>One</li>\n  <li>",
    "Once upon a time, in a small village by the sea, there lived",
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,",
    "Photosynthesis is the process by which",
    "To make bread you need flour, water, salt and",
]
CASES = 10
GREEDY = 64
MARGIN = 1e-3
WINDOW = 512


def golden(model_path: str) -> dict:
    """Logits and greedy tokens of the first prompts whose choices are never closer than the margin."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, name = pathlib.Path(model_path).parent, pathlib.Path(model_path).name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    cases = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        start, first, close = len(ids), None, False
        with torch.inference_mode():
            for _ in range(GREEDY):
                logits = model(torch.tensor([ids])).logits[0, -1]
                first = logits if first is None else first
                best = logits.topk(2)
                close |= float(best.values[0] - best.values[1]) < MARGIN
                ids.append(int(best.indices[0]))
        if close or len(cases) == CASES:
            continue
        top = first.topk(32).indices.tolist()
        wanted = sorted({*top, *range(0, len(first), 768)})
        cases.append(
            {
                "prompt": prompt,
                "prompt_ids": ids[:start],
                "logits": [[index, round(float(first[index]), 5)] for index in wanted],
                "greedy": ids[start:],
            }
        )
    return {"cases": cases}


def perplexity(model_path: str, text: str) -> dict:
    """Mean negative log-likelihood of every token but the first of each window."""
    import llama_cpp
    import numpy

    model = llama_cpp.Llama(
        model_path=model_path, n_ctx=WINDOW, n_batch=WINDOW, logits_all=True, verbose=False, n_threads=2
    )
    ids = model.tokenize(text.encode(), add_bos=False, special=False)
    total, count = 0.0, 0
    for start in range(0, len(ids) - 1, WINDOW):
        window = ids[start : start + WINDOW]
        model.reset()
        model.eval(window)
        logits = numpy.asarray(model.scores[: len(window)], dtype=numpy.float64)
        for position, token in enumerate(window[1:]):
            row = logits[position]
            most = row.max()
            total += most + math.log(numpy.exp(row - most).sum()) - row[token]
            count += 1
    mean = total / count
    return {
        "window": WINDOW,
        "tokens": len(ids),
        "scored": count,
        "nll_mean": mean,
        "perplexity": math.exp(mean),
        "llama_cpp_python": llama_cpp.__version__,
    }


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[0] == "--perplexity":
        _, model_path, out = arguments
        folder = pathlib.Path(out)
        found = perplexity(model_path, (folder / "perplexity.txt").read_text())
        (folder / "perplexity.json").write_text(json.dumps(found, indent=1) + "\n")
        print(found)
    else:
        model_path, out = arguments
        found = golden(model_path)
        assert len(found["cases"]) == CASES, "too few prompts keep their distance; add some"
        (pathlib.Path(out) / "smollm2.json").write_text(json.dumps(found, separators=(",", ":")))


if __name__ == "__main__":
    main()
