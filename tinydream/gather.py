"""A run folder as evidence for the page: what is there, and fits the report, is shown."""

import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import PurePath
from typing import Any

import numpy as np

from tinydream.board import Board
from tinydream.errors import InputError
from tinydream.keras.features import extractor_of
from tinydream.plan import Plan
from tinydream.ports import HERE
from tinydream.report import Entropy, Evidence, Heldout, Likeness, Linked, Report, read_elf
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.training import Metrics

__all__ = ["gather"]

LIKENESS_ROWS = 4096  # that tell what rows are like

# what the page shows of compress.json
FACTS = ("rows", "heldout", "features", "kept", "raw_dtype", "raw_bytes", "representative_bytes")


def gather(run: Run, report: Report, board: Board, commands: Sequence[str] = ()) -> Evidence:
    """What the page of `report` can show of its run.

    commands: what was typed to get there; by default it is told from the files of the run.
    """
    plan = run.plan()
    facts = run.read_json("compress.json", "source", "options", *FACTS)
    trained = run.read_json("train.json", "knobs", "crc32", "port")
    source = _by_name(facts["source"])
    facts = facts | {"source": source}
    linked, why = _linked(run, plan)
    return Evidence(
        report=report,
        plan=plan,
        board=board,
        facts=facts,
        entropy=_entropy(run),
        epochs=_epochs(run, trained["crc32"]),
        tick_unit=str(trained.get("tick_unit", "")),
        heldout=_heldout(run, plan),
        likeness=_likeness(run, plan),
        linked=linked,
        linked_note=why,
        observed=run.observed(plan),
        commands=tuple(commands) or _commands(run, facts, plan, trained),
        provenance=_provenance(facts, plan, trained["knobs"], linked),
    )


def _by_name(source: Mapping[str, Any]) -> dict[str, Any]:
    """Files by their names: where they lie is nobody else's business."""
    told, front = {**source, "path": PurePath(str(source.get("path"))).name}, extractor_of(source)
    return told | ({"features": _by_name(front)} if front else {})


def _entropy(run: Run) -> Entropy | None:
    if not run.has("entropy.npz"):
        return None
    arrays = run.read_arrays("entropy.npz", "bits", "values")
    bits, values = arrays["bits"], arrays["values"]
    good = bits.ndim == 1 and values.ndim == 2 and len(bits) == len(values)
    if not good or bits.dtype.kind not in "iu" or values.dtype.kind != "f":
        raise run.damaged("entropy.npz", "its arrays do not fit together")
    return Entropy(bits, values)


def _epochs(run: Run, crc32: str) -> tuple[Metrics, ...]:
    """The log's epochs, if the training it tells of ended with the weights of train.json."""
    if not run.has("log.jsonl"):
        return ()
    try:
        events = [json.loads(line) for line in run.read("log.jsonl").splitlines()]
        told = [{k: v for k, v in e.items() if k != "event"} for e in events]
        done = [e.get("crc32") for e in events if e["event"] == "done"]
        epochs = [Metrics(**t) for e, t in zip(events, told, strict=True) if e["event"] == "epoch"]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise run.damaged("log.jsonl", "a line is not what `train` writes") from None
    return tuple(epochs) if done == [crc32] else ()


def _heldout(run: Run, plan: Plan) -> Heldout:
    test, simulator = run.heldout(), Simulator(plan)
    simulator.push(run.weights(plan))
    return Heldout(np.asarray(test.y), np.asarray(simulator.predict(test.X)))


def _likeness(run: Run, plan: Plan) -> Likeness | None:
    """What held-out rows are like; None without a projection, and of too few rows."""
    if plan.inputs.projection is None:
        return None
    scaled = plan.inputs.scaled(run.heldout().X[:LIKENESS_ROWS])
    if len(scaled) < 5 * plan.inputs.outputs:
        return None
    return Likeness.of(plan.inputs.projection.apply(scaled), scaled)


def _linked(run: Run, plan: Plan) -> tuple[Linked | None, str]:
    """The sizes of the program that was built from this plan, or why there are none."""
    if not run.has("build.json"):
        return None, "not built"
    try:
        return read_elf(run.program(plan).read_bytes()), ""
    except InputError as error:  # stale, gone, or not ELF
        stale = not str(error).startswith("the program")
        return None, "what was built belongs to another plan" if stale else str(error)
    except OSError:
        return None, "the program cannot be read"


# ---- how one gets there ----


def _commands(
    run: Run, facts: Mapping[str, Any], plan: Plan, trained: Mapping[str, Any]
) -> tuple[str, ...]:
    source, knobs, port = facts["source"], trained["knobs"], str(trained["port"])
    options = {key: value for key, value in facts["options"].items() if value is not None}
    size = "representatives" if "representatives" in options else "budget_bytes"
    compress = ["compress", source["path"], "--target", source["target"]]
    compress += [f"--{size.replace('_', '-')}", options.get(size, "")]
    compress += ["--bits", options["bits"]] if options.get("bits", "auto") != "auto" else []
    compress += [] if options.get("deviation", True) else ["--no-deviation"]
    for name in ("projection", "components"):
        compress += [f"--{name}", options[name]] if options.get(name, "auto") != "auto" else []
    if front := extractor_of(source):
        compress += ["--features", front.get("path")]
    compress += ["--groups", source["groups"]] if source.get("groups") else []
    compress += ["--test", f"{source['test']:.6g}", "--seed", source["seed"]]
    hidden = [layer.outputs for layer in plan.layers if layer.kind == "dense"][:-1]
    move = plan.optimizer
    make = ["plan", "--board", plan.board, "--hidden", ",".join(map(str, hidden))]
    make = ["plan", "--board", plan.board, "--network", "network.toml"] if plan.windows else make
    make += ["--optimizer", move.kind]
    make += ["--momentum", f"{move.a:g}"] if move.kind == "sgd" and move.a else []
    if run.has("initial.npz"):
        make = ["plan", "--board", plan.board, "--model", "model.keras"]
    make += ["--batch", str(plan.batch)]
    train = ["train", "--port", port, "--epochs", knobs["epochs"], "--rate", f"{knobs['rate']:g}"]
    train += ["--seed", knobs["seed"]]
    build = [] if port in HERE else [["generate"], ["build"]]
    verbs = [compress, make, *build, train, ["report"]]
    return tuple(shlex.join(["tinydream", *map(str, verb)]) for verb in verbs)


def _provenance(
    facts: Mapping[str, Any], plan: Plan, knobs: Mapping[str, Any], linked: Linked | None
) -> dict[str, str]:
    source, move = facts["source"], plan.optimizer
    numbers = f"{move.a:g}, {move.b:g}, {move.c:g}" if move.kind == "adam" else f"{move.a:g}"
    told = {
        "source": f"{source['path']}, BLAKE2b {source['blake2b']}",
        "split": f"{100 * source['test']:.3g} % held out, seed {source['seed']}",
        "codec": ", ".join(f"{key} {value}" for key, value in facts["options"].items()),
        "optimizer": f"{move.kind} ({numbers}), batch {plan.batch}, {plan.slice} at a time",
        "knobs": ", ".join(f"{key} {value}" for key, value in knobs.items()),
        "tinydream": version("tinydream"),
        "Python, NumPy": f"{platform.python_version()}, {np.__version__}",
    }
    return told | ({"compiler": linked.compiler} if linked and linked.compiler else {})
