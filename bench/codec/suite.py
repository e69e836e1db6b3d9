"""Which figures there are: methods by sets and budgets, and the smaller questions beside them."""

from collections.abc import Sequence
from dataclasses import fields

import tinydream as td
from bench.codec.cnn import there_is_keras
from bench.codec.learn import LEARNERS
from bench.codec.sets import SHAPED, SHAPES, facts_of
from bench.codec.units import METHODS, Unit

__all__ = [
    "ABLATION",
    "ABLATION_SETS",
    "BUDGETS",
    "LADDER",
    "CNN_MISSING",
    "CNN_SET",
    "LEARNER_SETS",
    "NOISES",
    "NOISE_SETS",
    "PAPER_ROWS",
    "PAPER_SET",
    "PEERS",
    "QUICK_SETS",
    "UNSEEN",
    "UNSEEN_SETS",
    "Job",
    "Options",
    "ablations",
    "cnn_units",
    "jobs",
    "projections",
    "seconds",
]

BUDGETS = (2048, 8192, 32768)
LADDER = (512, 1024, 2048, 4096, 8192, 16384, 32768)
SEEDS, FEWER = 10, 5
QUICK_SETS = ("california_housing", "letter", "magic_gamma", "occupancy", "optdigits")

MAIN = ("ours", "random 8", "random", "stratified 8", "stratified", "k-means")
SIDE = ("herding", "one mask", "means", "random, dreamt", "k-means, dreamt")
PEERS = ("all", "ours", "random 8", "k-means")  # in the smaller questions

NOISE_SETS, NOISES = ("letter", "optdigits"), (0.1, 0.3)
CNN_SET, CNN = "mnist", ("ours", "random", "stratified", "k-means", "means")
CNN_PIXELS = (("projection", "none"), ("shape", SHAPED))  # our options when pixels are wanted
CNN_MISSING = f"The convolutional network on {CNN_SET} was not measured: it needs the extra `keras`"
LEARNER_SETS = ("adult", "california_housing", "magic_gamma", "optdigits", "wisdm_features")
UNSEEN_SETS = ("letter", "optdigits", "wisdm_features", "geotec_har_watch", "gas_sensor_drift")
UNSEEN = ("none", "auto")  # projections
PAPER_SET, PAPER_ROWS = "california_housing", 92
ABLATION_SETS = (
    "california_housing",
    "geotec_har_watch",
    "letter",
    "optdigits",
    "protein_casp",
    "wisdm_features",
)
Options = tuple[tuple[str, object], ...]
ABLATION: tuple[Options, ...] = (
    (("projection", "none"),),
    (("projection", "pca"),),
    (("projection", "lda"),),
    (("projection", "trained"),),
    (("projection", "none"), ("rank", 0)),
    (("projection", "none"), ("shape", SHAPED)),
    (("noise", 1.0),),
    (("spread", "none"),),
    (("tree", "global"),),
    (("lloyd", 0),),
    (("lloyd", 10),),
    (("bits", 4),),
    (("bits", 8),),
    (("soft", 4),),
)

WIDE = {  # inputs, where they are many
    "cwru_bearing48k": 512,
    "fashion_mnist_mini": 784,
    "fsdd_mfcc": 490,
    "geotec_har_watch": 300,
    "magic_wand_digits": 80,
    "mnist": 784,
    "optdigits": 64,
}

Job = list[tuple[Unit, int]]  # units of one set that share work, each with its number of seeds


def _known(options: Options) -> bool:
    return {name for name, _ in options} <= {field.name for field in fields(td.EntroGeDe)}


def ablations(name: str) -> list[Options]:
    """Those options that this codec has, and that a set can have."""
    possible = [o for o in ABLATION if name in SHAPES or dict(o).get("shape") != SHAPED]
    if facts_of(name).task == "regression":
        possible = [o for o in possible if "soft" not in dict(o)]  # of classes
    return [options for options in possible if _known(options)]


def projections() -> list[Options]:
    """The options of EntroGeDe that are compared on what it has not seen."""
    all_of_them: list[Options] = [(("projection", name),) for name in UNSEEN]
    return [each for each in all_of_them if _known(each)] or [()]


def jobs(names: Sequence[str], quick: bool) -> list[Job]:
    """All jobs, those first that take longest."""
    order = sorted(names, key=lambda name: -seconds(name))
    made: list[Job] = []
    for name in order:
        made += _main(name, quick)
    if not quick:
        for name in order:
            made += _beside(name)
    return made


def seconds(name: str, learner: str = "mlp") -> float:
    """Of one training, about, on one core of the machine that this was written on."""
    if learner.startswith("cnn"):
        return 3 + 2e-3 * facts_of(name).steps
    inputs = WIDE.get(name, 20)
    return facts_of(name).steps * 32 * (0.4 + 0.02 * inputs) * 1e-6


def _main(name: str, quick: bool) -> list[Job]:
    seeds = FEWER if quick else SEEDS
    rows = [(Unit(name, "all"), seeds)]
    made: list[Job] = [rows + [(Unit(name, "rival", budget), seeds) for budget in BUDGETS]]
    for budget in BUDGETS:
        for ours in (True, False):
            job = [(Unit(name, m, budget), seeds) for m in MAIN if METHODS[m].ours == ours]
            if not quick:
                job += [(Unit(name, m, budget), FEWER) for m in SIDE if METHODS[m].ours == ours]
            made.append(job)
    return made


def cnn_units(budget: int, ours: bool | None = None) -> dict[str, Unit]:
    """A convolutional network on rows of so many bytes, or on all, by name.

    ours: only methods that depend on the codec, or only others. Beside the codec's defaults
    stands what it does when it is told that the inputs are an image and to keep its pixels.
    """
    kind, names = f"cnn {CNN_SET}", CNN if budget else ("all",)
    made = {m: Unit(CNN_SET, m, budget, learner=kind) for m in names}
    if budget:
        made["ours, pixels"] = Unit(CNN_SET, "ours", budget, learner=kind, options=CNN_PIXELS)
    return {key: unit for key, unit in made.items() if ours in (None, METHODS[unit.method].ours)}


def _beside(name: str) -> list[Job]:
    made: list[Job] = [[(Unit(name, "ours", b), FEWER) for b in LADDER if b not in BUDGETS]]
    if name in NOISE_SETS:
        made += [
            [(Unit(name, m, 0 if m == "all" else 8192, noise=share), FEWER) for m in PEERS]
            for share in NOISES
        ]
    if name in LEARNER_SETS:
        made += [
            [(Unit(name, m, 0 if m == "all" else 8192, learner=kind), FEWER) for m in PEERS]
            for kind in LEARNERS
            if not kind.startswith("cnn")
        ]
    if name == CNN_SET and there_is_keras():
        asked = [cnn_units(0), *(cnn_units(b, ours) for b in BUDGETS for ours in (True, False))]
        made += [[(unit, FEWER) for unit in units.values()] for units in asked]
    if name == PAPER_SET:
        made.append([(Unit(name, m, rows=PAPER_ROWS), SEEDS) for m in PEERS if m != "all"])
    if name in ABLATION_SETS:
        made += [
            [(Unit(name, "ours", budget, options=each), FEWER) for each in ablations(name)]
            for budget in BUDGETS[:2]
        ]
    if name in UNSEEN_SETS:
        made.append(
            [(Unit(name, "ours", 8192, options=each, held=True), SEEDS) for each in projections()]
        )
    return made
