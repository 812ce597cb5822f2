#!/usr/bin/env bash
# Starts SGLang's OpenAI-compatible server. Every setting is a flag here or a variable of the
# environment; what follows `--` goes to SGLang as it is.
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: server/sglang_run_server.sh [--model PATH_OR_ID] [--name SERVED_NAME] [--tp N] [--host ADDRESS]
                                   [--port N] [--dry-run] [-- FLAGS OF SGLANG…]

Each flag has a variable, which the flag overrides: MODEL, SERVED_NAME, TP, HOST, PORT. PYTHON is the interpreter
that has SGLang.

Example: server/sglang_run_server.sh --model /models/llama-8b --name llama-8b --tp 2 -- --context-length 8192
EOF
}

model=${MODEL:-deepseek-ai/DeepSeek-R1-Distill-Llama-8B}
name=${SERVED_NAME:-distill-llama-8b}
tp=${TP:-1}
host=${HOST:-127.0.0.1}
port=${PORT:-8000}
dry_run=false

need_value() {
    if [[ $# -lt 2 ]]; then
        echo "error: $1 needs a value" >&2
        exit 2
    fi
}

while [[ $# -gt 0 ]]; do
    case $1 in
        --model) need_value "$@"; model=$2; shift 2 ;;
        --name) need_value "$@"; name=$2; shift 2 ;;
        --tp) need_value "$@"; tp=$2; shift 2 ;;
        --host) need_value "$@"; host=$2; shift 2 ;;
        --port) need_value "$@"; port=$2; shift 2 ;;
        --dry-run) dry_run=true; shift ;;
        -h | --help) usage; exit 0 ;;
        --) shift; break ;;
        *) echo "error: unknown flag $1; flags of SGLang go behind --" >&2; usage >&2; exit 2 ;;
    esac
done

python=${PYTHON:-python3}
command=("$python" -m sglang.launch_server --model-path "$model" --served-model-name "$name"
    --tp-size "$tp" --host "$host" --port "$port" "$@")

if $dry_run; then
    printf '%q ' "${command[@]}"
    echo
    exit 0
fi
if ! "$python" -c "import sglang" 2>/dev/null; then
    echo "error: $python finds no sglang; try: $python -m pip install sglang, or set PYTHON" >&2
    exit 1
fi
exec "${command[@]}"
