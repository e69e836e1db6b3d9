"""Option sets by question: each is compared with the first of its question."""

from dataclasses import dataclass
from typing import Any

from bench.codec.sets import SHAPED, SHAPES, facts_of

__all__ = ["QUESTIONS", "SETS", "Row", "rows_of"]

SETS = (
    "letter",
    "wisdm_features",
    "eeg_eye",
    "california_housing",
    "optdigits",
    "magic_wand_digits",
    "geotec_har_watch",
)

Options = dict[str, Any]
Constants = dict[str, Any]  # of modules of the codec: "layout.STRESS"


@dataclass(frozen=True)
class Row:
    """question: that it answers. label: says the options.

    constants: of the codec's modules, set while it fits.
    """

    question: str
    label: str
    options: Options
    constants: Constants

    def told(self) -> dict[str, Any]:
        """What stands in the JSON."""
        constants = {name: repr(value) for name, value in self.constants.items()}
        options = {name: repr(value) for name, value in self.options.items()}
        return {"question": self.question, "label": self.label} | options | constants


NONE: Options = {"projection": "none"}
PLAIN: Options = NONE | {"noise": 1.0, "spread": "none", "rank": 0}  # nothing is chosen
TRAINED: Options = {"projection": "trained"}
SHAPE: Options = {"shape": SHAPED}


def _each(base: Options, name: str, *values: Any) -> tuple[tuple[Options, Constants], ...]:
    return tuple((base | {name: value}, {}) for value in values)


def _constant(base: Options, name: str, *values: Any) -> tuple[tuple[Options, Constants], ...]:
    return tuple((base, {name: value}) for value in values)


# The first of each is what the others are compared with.
QUESTIONS: dict[str, tuple[tuple[Options, Constants], ...]] = {
    "projection": (({}, {}), *_each({}, "projection", "none", "pca", "lda", "trained")),
    "model": ((NONE, {}), *_each(NONE, "deviation", False), (PLAIN, {})),
    "noise": (
        (PLAIN, {}),
        (PLAIN | {"deviation": False}, {}),
        *_each(PLAIN, "noise", 0.5, 0.7, 1.4, 2.0),
    ),
    "spread": ((PLAIN, {}), *_each(PLAIN, "spread", "class", "row")),
    "judging": (({}, {}), *_constant({}, "choose.STEPS", 300, 1200)),
    "factors": ((PLAIN, {}), *_each(PLAIN, "rank", 1, 2, 4, 8)),
    "factors, trained": (
        (TRAINED | {"rank": 0}, {}),
        *_each(TRAINED, "rank", 2, 4),
    ),
    "transform": ((PLAIN, {}), (PLAIN | SHAPE, {})),
    "soft targets": (({}, {}), *_each({}, "soft", 2, 4)),
    "tree": (({}, {}), *_each({}, "tree", "global"), *_each({}, "lloyd", 0, 10)),
    "bits": (({}, {}), *_each({}, "bits", 3, 4, 6, 8)),
    "fineness of bits": ((PLAIN, {}), *_constant(PLAIN, "layout.fineness", 0.5, 0.8, 1.2, 2.0)),
    "far values": ((PLAIN, {}), (PLAIN, {"scale.FAR": float("inf")})),
    "levels of weight": ((PLAIN, {}), *_constant(PLAIN, "layout.Budget.levels", 2, 4, 16)),
    "stress": ((PLAIN, {}), *_constant(PLAIN, "layout.STRESS", 0.35, 0.5, 0.7)),
    "training of a projection": (
        (TRAINED, {}),
        *_constant(TRAINED, "choose.MORE_STEPS", 400, 2400),
        (TRAINED, {"project.RATE": 3e-3}),
    ),
}


def rows_of(name: str, questions: list[str]) -> list[Row]:
    """Those that a set can answer: shapes where it has one, classes where it has any."""
    classes = facts_of(name).task == "classification"
    made = []
    for question in questions:
        possible = [o for o in QUESTIONS[question] if _suits(name, classes, *o)]
        if len(possible) > 1:
            made += [Row(question, _label(*each), *each) for each in possible]
    return made


def _suits(name: str, classes: bool, options: Options, constants: Constants) -> bool:
    if options.get("shape") == SHAPED and name not in SHAPES:
        return False
    if classes:
        return "layout.STRESS" not in constants
    return not options.get("soft") and options.get("spread") != "class"


def _label(options: Options, constants: Constants) -> str:
    """As short as it can be: what is not chosen is told by what differs from that."""
    plain = options.keys() >= PLAIN.keys()
    rest = {k: v for k, v in options.items() if not plain or PLAIN.get(k) != v}
    parts = ["no choice"] if plain else []
    parts += [f"{key}={value}" for key, value in (rest | constants).items()]
    return ", ".join(parts) or "defaults"
