"""Tiny models of random weights, and what transformers computes from them: the truth of crates/models/tests/golden.rs.

usage: make_tiny.py crates/models/tests/data
"""

import json
import pathlib
import random
import sys

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel

VOCAB = 300
CASES = 10
GREEDY = 64


def byte_alphabet() -> list[str]:
    """GPT-2's character for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable}
    characters |= {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [characters[byte] for byte in range(256)]


def cases(model: PreTrainedModel) -> list[dict]:
    """Logits after prompts of 1 to 100 tokens, and what greedy decoding goes on with."""
    numbers = random.Random(7)
    found = []
    for length in [1, 2, 3, 7, 16, 17, 33, 48, 64, 100][:CASES]:
        prompt = [numbers.randrange(VOCAB) for _ in range(length)]
        ids = list(prompt)
        last = None
        with torch.inference_mode():
            for _ in range(GREEDY):
                logits = model(torch.tensor([ids])).logits[0, -1]
                last = logits if last is None else last
                ids.append(int(logits.argmax()))
        found.append(
            {
                "prompt_ids": prompt,
                "last_logits": [round(float(value), 5) for value in last],
                "greedy": ids[length:],
            }
        )
    return found


def save(folder: pathlib.Path, model: PreTrainedModel) -> None:
    """The model as transformers writes it, a byte-level vocabulary, and the cases."""
    model.eval()
    model.save_pretrained(folder, safe_serialization=True)
    (folder / "generation_config.json").unlink(missing_ok=True)
    vocab = {token: index for index, token in enumerate([*byte_alphabet(), "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "golden.json").write_text(json.dumps({"cases": cases(model)}, separators=(",", ":")))


def main() -> None:
    out = pathlib.Path(sys.argv[1])
    torch.manual_seed(42)
    gpt2 = GPT2Config(
        vocab_size=VOCAB, n_positions=256, n_embd=64, n_layer=2, n_head=4, initializer_range=0.2, bos_token_id=256, eos_token_id=256
    )
    save(out / "gpt2-tiny", GPT2LMHeadModel(gpt2))
    llama = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        rope_theta=10000.0,
        tie_word_embeddings=True,
        initializer_range=0.2,
        bos_token_id=256,
        eos_token_id=256,
    )
    save(out / "llama-tiny", LlamaForCausalLM(llama))


if __name__ == "__main__":
    main()
