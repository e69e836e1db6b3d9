"""Write the golden files anew: `python tests/golden/renew.py`, then read the diff."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
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


if __name__ == "__main__":
    for name, text in golden().items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_text(text)
