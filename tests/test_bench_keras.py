"""The page of `scripts/bench keras`: what it says of figures."""

import numpy as np

from bench.keras import page


def found(loss, frozen=True):
    """Two sets and two people over three seeds; loss: of representatives, in points."""
    rng = np.random.default_rng(0)

    def cell(score):
        told = {"float32": score + 0.01, "all rows": score, "rows": 100, "drawn": 512}
        return told | {"representatives": score - loss / 100 + rng.normal(0, 1e-4)}

    arm = {"before": [0.7, 0.9], "after": [0.9, 0.8], "frozen": frozen}
    person = [{"rows": 50, "new": arm, "new and old": arm}] * 3
    return {
        "command": "scripts/bench keras",
        "integers": {name: [cell(0.8 + seed / 100) for seed in range(3)] for name in ("a", "b")},
        "transfer": {"15": person, "16": person},
    }


def test_a_loss_is_told_as_one():
    assert "it loses no more accuracy." in page.make(found(0.0))
    text = page.make(found(1.0))
    assert "it loses **more accuracy**." in text and "| a | 82.0 ± 2.5 | 80.0" in text


def test_before_and_after_are_told_for_new_and_old_people():
    text = page.make(found(0.0))
    assert "| new | the new person | 70.0 ± 0.0 | 90.0 ± 0.0 | +20.0 (+20.0..+20.0) |" in text
    assert "| new and old | old people | 90.0 ± 0.0 | 80.0 ± 0.0 | -10.0" in text
    assert "frozen weights stayed as they were" in text
    assert "**did not stay**" in page.make(found(0.0, frozen=False))
