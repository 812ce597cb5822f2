"""Golden vectors of encoders, as sentence-transformers computes them: the truth of crates/models/tests/embedding.rs.

usage: embedding.py tiny crates/models/tests/data/bert-tiny
       embedding.py minilm MODEL crates/models/tests/data/minilm.json

`tiny` makes a BERT of random weights in the given folder, with a vocabulary, and its golden.json. `minilm` takes the folder
of all-MiniLM-L6-v2.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ODD = [
    "",
    "a",
    "Hello, World!",
    "Crème brûlée — naïve façade, ÜBER Ångström",
    "東京タワー is 333 m high; 서울 and Αθήνα are far.",
    "emoji 🙂👩‍💻 and \t tabs\nand\r\nlines\u00a0and\u200bnothing",
    "don't won't e-mail a_b c++ http://x.y/z?q=1&r=2 3.14159",
    "[SEP",
]


def encoded(vector: np.ndarray) -> str:
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()


def golden(model: SentenceTransformer, texts: list[str]) -> str:
    """Each text alone, so that no padding is part of the truth; a line for each."""
    model.eval()
    cases = []
    for text in texts:
        ids = model.tokenizer(text)["input_ids"]
        assert len(ids) <= model.max_seq_length, (text, len(ids))
        cases.append({"text": text, "ids": ids, "vector": encoded(model.encode(text))})
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases]
    return '{"cases":[\n' + ",\n".join(lines) + "\n]}\n"


def vocabulary() -> list[str]:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["the", "token", "ing", "er", "measure", ",", ".", "!", "##ing", "##er", "##s", "##ed"]
    continued = [f"##{letter}" for letter in letters if f"##{letter}" != "##s"]
    return [*SPECIAL, *letters, *continued, *words]


def tiny(folder: pathlib.Path) -> None:
    torch.manual_seed(42)
    vocab = {piece: index for index, piece in enumerate(vocabulary())}
    config = BertConfig(
        vocab_size=len(vocab),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=48,
        max_position_embeddings=40,
        initializer_range=0.3,
    )
    model = BertModel(config, add_pooling_layer=False)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # As they begin, norms and biases would hide a mistake.
            if name.endswith("bias"):
                parameter.normal_(0.0, 0.2)
            elif "LayerNorm" in name:
                parameter.normal_(1.0, 0.2)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    )
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(SPECIAL)
    # As all-MiniLM-L6-v2 has them: a server must not obey them.
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(folder / "tokenizer.json"))
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    (folder / "modules.json").write_text(
        json.dumps(
            [
                {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
                for index, (path, kind) in enumerate(modules)
            ],
            indent=1,
        )
    )
    (folder / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"word_embedding_dimension": 24, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 32, "do_lower_case": false}')
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}')
    texts = [*ODD, "the tokenizer measures", "zz " * 15, "abcdefghijklmnopqrstuvwxyzabcd"]
    model = SentenceTransformer(str(folder), device="cpu")
    texts = [text for text in texts if len(model.tokenizer(text, truncation=False, padding=False)["input_ids"]) <= 32]
    model.tokenizer.backend_tokenizer.no_truncation()
    model.tokenizer.backend_tokenizer.no_padding()
    (folder / "golden.json").write_text(golden(model, texts))


def minilm(path: str, out: pathlib.Path) -> None:
    model = SentenceTransformer(path, device="cpu")
    assert model.max_seq_length == 256, model.max_seq_length
    model.tokenizer.backend_tokenizer.no_truncation()
    model.tokenizer.backend_tokenizer.no_padding()
    words = (pathlib.Path(__file__).parents[2] / "crates/models/tests/data/perplexity.txt").read_text().split()
    texts = list(ODD)
    at = 0
    for tokens in [5, 9, 16, 17, 24, 33, 48, 64, 100, 128, 200, 256]:
        text = ""
        while True:
            longer = f"{text} {words[at % len(words)]}".strip()
            if len(model.tokenizer(longer)["input_ids"]) > tokens:
                break
            text, at = longer, at + 1
        texts.append(text)
    out.write_text(golden(model, texts))
    print(f"{len(texts)} texts of", [len(model.tokenizer(text)["input_ids"]) for text in texts], "tokens")


if __name__ == "__main__":
    if sys.argv[1] == "tiny":
        tiny(pathlib.Path(sys.argv[2]))
    else:
        minilm(sys.argv[2], pathlib.Path(sys.argv[3]))
