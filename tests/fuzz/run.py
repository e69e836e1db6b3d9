"""Runs fuzz targets, tells executions and findings, and keeps the figures: see scripts/fuzz."""

import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
ROOT = FUZZ.parents[1]
KEPT = ROOT / "docs/results/fuzz.json"
DEVICE = ROOT / "firmware/lib/tinydream/src"
STORE = [
    ROOT / f"tinydream/store/{name}.c" for name in ("model", "plane", "column", "encode", "decode")
]

# in C: what is compiled beside the target, and the longest input; corpus_*.py makes the first ones
IN_C = {
    "frame": ([DEVICE / "td_frame.c"], 512),
    "bridge": (sorted(DEVICE.glob("td_*.c")), 96),
    "store": (STORE, 65_536),
}
# what it is, how often it runs if nothing is said; in Python those that are not in C
TARGETS = {
    "frame": ("the device's decoder, in C", 1_000_000),
    "bridge": ("the device's decoder, parser and dispatcher with a whole node, in C", 100_000),
    "host": ("the host's decoder and parsers, in Python", 100_000),
    "store": ("the reader of a store's models and blocks, in C", 50_000),
    "reader": ("the reader of a store's file, in Python", 100_000),
    "saving": ("power cuts in simulated flash", 2_000),
    "killed": ("kill -9 of a process and of QEMU in the middle of saves; each", 20),
}
FINDING = r"Sanitizer:|runtime error:|libFuzzer: \w+|Uncaught Python exception|AssertionError"
FLAGS = ("-std=c99", "-g", "-O2", "-fno-sanitize-recover=all", f"-I{ROOT}/tinydream", f"-I{DEVICE}")
# comparisons are not traced: it takes three quarters of the time, and types are one byte
CLANG = ("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-coverage=trace-cmp")


def compiled(target: str, work: Path) -> tuple[Path, str]:
    """The target's program, and what fuzzes it."""
    sources, program = IN_C[target][0], work / "fuzz"
    files = [str(each) for each in (FUZZ / f"{target}.c", *sources)]
    if shutil.which("clang"):
        command = ["clang", *FLAGS, *CLANG, *files]
        by = "libFuzzer"
    else:
        print("fuzz: clang is missing, so a driver of our own changes inputs without looking at")
        print("fuzz: what they reach; `scripts/setup fuzz` or your package manager installs clang")
        command = ["cc", *FLAGS, "-fsanitize=address,undefined", str(FUZZ / "drive.c"), *files]
        by = "our driver"
    if subprocess.run([*command, "-o", str(program), "-lm"]).returncode:
        sys.exit("fuzz: the target was not compiled, see above; `scripts/setup fuzz` brings tools")
    return program, by


def in_c(target: str, runs: int, seed: int) -> dict[str, object]:
    """How many inputs there were, by what, and what else was said; a finding ends us."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        corpus = work / "corpus"
        subprocess.run([sys.executable, FUZZ / f"corpus_{target}.py", corpus], check=True)
        program, by = compiled(target, work)
        if by == "libFuzzer":
            limits = [f"-runs={runs}", f"-seed={seed}", f"-max_len={IN_C[target][1]}"]
            told = ["-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={work}/"]
            command = [program, *limits, *told, corpus]
        else:
            command = [program, str(runs), str(seed), *sorted(corpus.iterdir())]
        return counted(command, r"stat::number_of_executed_units: (\d+)", by)


def in_python(target: str, runs: int, seed: int) -> dict[str, object]:
    if target in ("host", "reader") and not importlib.util.find_spec("atheris"):
        print(f"fuzz: the target {target} needs atheris: pip install 'tinydream[dev]', on Linux")
        sys.exit(3)
    command = [sys.executable, FUZZ / f"{target}.py", str(runs), str(seed)]
    by = {"host": "atheris", "reader": "atheris", "saving": "cuts", "killed": "kills"}[target]
    return counted(command, r"Done (\d+)", by)


def counted(command: list[object], pattern: str, by: str) -> dict[str, object]:
    """How far a fuzzer says it came; its words, and the end of all, if it found something.

    A finding is what a sanitizer, an assertion or a signal ended; else the tool did not work.
    """
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    said = done.stdout + done.stderr
    found = re.search(pattern, said)
    if done.returncode < 0 or re.search(FINDING, said):
        sys.exit(f"{said[-6000:]}\nfuzz: 1 finding, above")
    if done.returncode or not found:
        print(
            f"{said[-6000:]}\nfuzz: the target did not run to its end, see above", file=sys.stderr
        )
        sys.exit(3)
    more = [line.strip() for line in re.findall(r"^  .*", done.stdout, re.M)]
    return {"executions": int(found[1]), "findings": 0, "by": by} | ({"more": more} if more else {})


def main() -> None:
    listed = "\n".join(f"  {name:8}{what} ({runs:,})" for name, (what, runs) in TARGETS.items())
    form = argparse.RawDescriptionHelpFormatter
    options = argparse.ArgumentParser("scripts/fuzz", epilog=listed, formatter_class=form)
    options.add_argument("targets", nargs="+", choices=TARGETS, metavar="TARGET")
    options.add_argument("--runs", type=int, help="inputs, cuts or kills; see below")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--write", action="store_true", help="into docs/results/fuzz.json")
    given = options.parse_args()
    for target in given.targets:
        fuzz = in_c if target in IN_C else in_python
        found = fuzz(target, given.runs or TARGETS[target][1], given.seed)
        print(f"{target}: {found['executions']:,} executions, 0 findings by {found['by']}")
        print("".join(f"    {line}\n" for line in found.get("more", ())), end="", flush=True)
        if given.write:
            kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
            kept[target] = found
            KEPT.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
