"""Prefill and decode speed of torch on GPT-2's smallest shape in f32, random weights: one JSON line.

usage: torch_gpt2_bench.py MODEL --batch 8 --prompt 32 --gen 32 --threads 2      (MODEL is ignored: weights are random)
"""

import argparse
import json
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel


def measure(model: GPT2LMHeadModel, batch: int, prompt: int, generated: int) -> dict[str, float]:
    ids = torch.randint(0, 50_000, (batch, prompt))
    begun = time.perf_counter()
    out = model(ids, use_cache=True, logits_to_keep=1)
    token = out.logits[:, -1].argmax(-1, keepdim=True)
    filled = time.perf_counter()
    for _ in range(generated):
        out = model(token, past_key_values=out.past_key_values, use_cache=True)
        token = out.logits[:, -1].argmax(-1, keepdim=True)
    done = time.perf_counter()
    return {
        "prefill_tok_s": batch * prompt / (filled - begun),
        "decode_tok_s": batch * generated / (done - filled),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    for flag, default in [("batch", 1), ("prompt", 32), ("gen", 32), ("threads", 2)]:
        parser.add_argument(f"--{flag}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(42)
    model = GPT2LMHeadModel(GPT2Config()).eval()
    with torch.inference_mode():
        measure(model, 1, min(args.prompt, 64), 8)
        print(json.dumps(measure(model, args.batch, args.prompt, args.gen)))


if __name__ == "__main__":
    main()
