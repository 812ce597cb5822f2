"""Texts per second of an encoder, under torch or onnxruntime: one JSON line for each number of texts on standard input.

usage: embedding_bench.py MODEL TEXTS.json FOLDER --engine sentence-transformers|onnxruntime|onnxruntime-int8 --threads 2

MODEL is a folder that sentence-transformers reads, TEXTS.json a list of strings, FOLDER keeps the ONNX exports. A number is
how many texts each call gets. A call with more than 32 is cut into batches of 32 of similar lengths, as
sentence-transformers does by itself; a batch is padded to its longest text.
"""

import argparse
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable

BATCH = 32


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("texts")
    parser.add_argument("folder")
    parser.add_argument("--engine", required=True)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def torch_engine(args: argparse.Namespace) -> Callable[[list[str]], list]:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(args.threads)
    model = SentenceTransformer(args.model, device="cpu")
    return lambda texts: model.encode(texts, batch_size=BATCH, show_progress_bar=False)


def export(args: argparse.Namespace, path: pathlib.Path) -> None:
    """The network, the mean over tokens and the norm as one graph, with onnxruntime's own fusions for BERT."""
    import torch
    from onnxruntime.transformers.optimizer import optimize_model
    from transformers import AutoModel

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = AutoModel.from_pretrained(args.model, attn_implementation="eager").eval()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            return torch.nn.functional.normalize(mean, dim=1)

    model = Pooled()
    shape = {0: "texts", 1: "tokens"}
    ids = torch.randint(1000, 2000, (3, 7))
    plain = path.with_suffix(".plain.onnx")
    with torch.inference_mode():
        torch.onnx.export(
            model,
            (ids, torch.ones_like(ids)),
            plain,
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamic_axes={"input_ids": shape, "attention_mask": shape, "vectors": {0: "texts"}},
            opset_version=18,
            dynamo=False,
        )
    config = model.network.config
    fused = optimize_model(
        str(plain), model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size
    )
    print("fused:", fused.get_fused_operator_statistics(), file=sys.stderr)
    fused.save_model_to_file(str(path))


def onnx_engine(args: argparse.Namespace) -> Callable[[list[str]], list]:
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    path = pathlib.Path(args.folder) / "encoder.onnx"
    if not path.exists():
        export(args, path)
    if args.engine == "onnxruntime-int8":
        from onnx import TensorProto
        from onnxruntime.quantization import QuantType, quantize_dynamic

        small = path.with_suffix(".int8.onnx")
        if not small.exists():
            # The types of fused operators are not known to it.
            types = {"DefaultTensorType": TensorProto.FLOAT}
            quantize_dynamic(path, small, weight_type=QuantType.QInt8, extra_options=types)
        path = small
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(pathlib.Path(args.model) / "tokenizer.json"))
    length = json.loads((pathlib.Path(args.model) / "sentence_bert_config.json").read_text())["max_seq_length"]
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding()

    def encode(texts: list[str]) -> list:
        order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        vectors: list = [None] * len(texts)
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            found = tokenizer.encode_batch([texts[index] for index in some])
            inputs = {
                "input_ids": np.array([each.ids for each in found], dtype=np.int64),
                "attention_mask": np.array([each.attention_mask for each in found], dtype=np.int64),
            }
            for index, vector in zip(some, session.run(None, inputs)[0], strict=True):
                vectors[index] = vector
        return vectors

    return encode


def main() -> None:
    args = options()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    # What others print is not the answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    encode = torch_engine(args) if args.engine == "sentence-transformers" else onnx_engine(args)
    texts = json.loads(pathlib.Path(args.texts).read_text())
    encode(texts[:BATCH])
    for line in sys.stdin:
        size = int(line)
        begun = time.perf_counter()
        for start in range(0, len(texts), size):
            vectors = encode(texts[start : start + size])
            if start == 0:
                first = [float(number) for number in vectors[0]]
        seconds = time.perf_counter() - begun
        print(json.dumps({"texts_s": len(texts) / seconds, "first": first}), file=answers, flush=True)


if __name__ == "__main__":
    main()
