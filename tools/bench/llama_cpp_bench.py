"""Prefill and decode speed of llama.cpp, through its batch API: one JSON line.

usage: llama_cpp_bench.py MODEL.gguf --batch 8 --prompt 32 --gen 32 --threads 2 --flash-attention on|off

Every sequence has a prompt of its own, of arbitrary token ids. Decoding adds one token to each sequence in every step;
which one does not change the cost. Each sequence has a cache of its own (`kv_unified` off), so that none attends to
another's positions.
"""

import argparse
import ctypes
import json
import time

import llama_cpp as llama


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--prompt", type=int, default=32)
    parser.add_argument("--gen", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--flash-attention", choices=["on", "off"], default="off")
    return parser.parse_args()


class Bench:
    """A model, and a batch that is filled row by row."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        params = llama.llama_model_default_params()
        self.model = llama.llama_model_load_from_file(args.model.encode(), params)
        self.vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))

    def context(self, sequences: int) -> ctypes.c_void_p:
        args = self.args
        params = llama.llama_context_default_params()
        room = (args.prompt + args.gen + 8 + 255) // 256 * 256
        params.n_ctx = sequences * room
        params.n_batch = max(512, min(sequences * args.prompt, 4096))
        params.n_ubatch = 512
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = args.threads
        params.kv_unified = False
        params.flash_attn_type = 1 if args.flash_attention == "on" else 0
        return llama.llama_init_from_model(self.model, params)

    def measure(self, sequences: int, prompt: int, generated: int) -> dict[str, float]:
        context = self.context(sequences)
        batch = llama.llama_batch_init(4096, 0, 1)

        def add(token: int, position: int, sequence: int, wanted: bool) -> None:
            row = batch.n_tokens
            batch.token[row] = token
            batch.pos[row] = position
            batch.n_seq_id[row] = 1
            batch.seq_id[row][0] = sequence
            batch.logits[row] = wanted
            batch.n_tokens += 1

        def compute() -> None:
            if llama.llama_decode(context, batch) != 0:
                raise SystemExit("llama_decode failed")
            batch.n_tokens = 0

        begun = time.perf_counter()
        for sequence in range(sequences):
            if batch.n_tokens + prompt > llama.llama_n_batch(context):
                compute()
            for position in range(prompt):
                token = 100 + (sequence * 1009 + position * 31) % (self.vocab - 200)
                add(token, position, sequence, position == prompt - 1)
        compute()
        filled = time.perf_counter()
        for step in range(generated):
            for sequence in range(sequences):
                add(100 + (step * 7 + sequence) % 40_000, prompt + step, sequence, True)
            compute()
        done = time.perf_counter()
        llama.llama_batch_free(batch)
        llama.llama_free(context)
        return {
            "prefill_tok_s": sequences * prompt / (filled - begun),
            "decode_tok_s": sequences * generated / (done - filled),
        }


def main() -> None:
    args = options()
    silent = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(silent, ctypes.c_void_p(0))
    llama.llama_backend_init()
    bench = Bench(args)
    bench.measure(1, min(args.prompt, 64), 8)
    print(json.dumps(bench.measure(args.batch, args.prompt, args.gen)))


if __name__ == "__main__":
    main()
