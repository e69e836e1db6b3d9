"""Write the golden files anew: `python tests/golden/renew.py`, then read the diff."""

import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "firmware" / "lib" / "tinydream" / "examples"
sys.path.insert(0, str(HERE.parent))


def golden():
    """Text by name: small plans that between them use every part of the templates."""
    from plans import random_plan

    from tinydream.codegen import generate

    texts = {}
    for seed in (0, 1):
        files = generate(random_plan(seed, most_rows=5))
        texts |= {f"{seed}/{Path(place).name}": text for place, text in files.items()}
    return texts


def examples():
    """Text by path in the library's examples: their plan, for pointers of 4 bytes and of 8."""
    from tinydream.codegen import generate
    from tinydream.plan import Plan

    plan = Plan.from_bytes((HERE / "example.plan").read_bytes())
    texts = {}
    for folder, board in (("SensorLoop", plan.board), ("plain_c", "native")):
        files = generate(replace(plan, board=board))
        texts |= {f"{folder}/td_plan.{end}": files[f"src/td_plan.{end}"] for end in "ch"}
    return texts


if __name__ == "__main__":
    for name, text in golden().items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_text(text)
    for name, text in examples().items():
        (EXAMPLES / name).write_text(text)
