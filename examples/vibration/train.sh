#!/usr/bin/env bash
# Faults of a bearing from its vibration: spectra are computed here, and a convolutional network learns them as a
# process on this machine. Usage: examples/vibration/train.sh [RUN-FOLDER]; the data is cwru_bearing48k.npz in
# $TINYDREAM_DATA.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
data=${TINYDREAM_DATA:-$root/../shared/data}/cwru_bearing48k.npz
run=${1:-$root/build/vibration}
[ -f "$data" ] || { echo "vibration: $data is missing; set TINYDREAM_DATA to the folder that has it" >&2; exit 2; }
PATH=$root/.venv/bin:$PATH
command -v tinydream >/dev/null || "$root/scripts/setup" >&2

mkdir -p "$run"
python3 "$root/examples/vibration/spectra.py" "$data" "$run/spectra.npz"
tinydream() { command tinydream "$@" -o "$run"; }
tinydream compress "$run/spectra.npz" --shape 64,1 --budget-bytes 4096 --no-store
tinydream plan --board native --network "$root/examples/vibration/network.toml" --batch 16 \
    --epochs "${EPOCHS:-20}" --schedule cosine --factor 0.02
tinydream generate
tinydream build
tinydream train --port native
tinydream report
