"""Writes a GGUF model as a Hugging Face folder, weights in bfloat16, for servers that read no GGUF.

usage: python gguf_to_folder.py MODEL.gguf FOLDER
"""

import pathlib
import sys

import torch
import transformers

source, target = map(pathlib.Path, sys.argv[1:])
place = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
# Newer versions keep the quantised blocks unless they are told otherwise.
config = getattr(transformers, "GgufConfig", None)
unpacked = {"quantization_config": config(dequantize=True)} if config else {}
model = transformers.AutoModelForCausalLM.from_pretrained(**place, dtype=torch.bfloat16, **unpacked)
model.save_pretrained(target)
transformers.AutoTokenizer.from_pretrained(**place).save_pretrained(target)
