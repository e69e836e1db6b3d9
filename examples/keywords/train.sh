#!/usr/bin/env bash
# Spoken digits: 49 frames of 10 cepstral coefficients, learnt by a convolutional network as a process on this
# machine. Usage: examples/keywords/train.sh [RUN-FOLDER]; the data is fsdd_mfcc.npz in $TINYDREAM_DATA.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
data=${TINYDREAM_DATA:-$root/../shared/data}/fsdd_mfcc.npz
run=${1:-$root/build/keywords}
[ -f "$data" ] || { echo "keywords: $data is missing; set TINYDREAM_DATA to the folder that has it" >&2; exit 2; }
PATH=$root/.venv/bin:$PATH
command -v tinydream >/dev/null || "$root/scripts/setup" >&2

tinydream() { command tinydream "$@" -o "$run"; }
tinydream compress "$data" --shape 49,10 --bits 2 --budget-bytes 65536 --no-store
tinydream plan --board native --network "$root/examples/keywords/network.toml" --batch 16 \
    --epochs "${EPOCHS:-30}" --schedule cosine --factor 0.02
tinydream generate
tinydream build
tinydream train --port native
tinydream report
