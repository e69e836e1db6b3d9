"""What each verb does to a run folder; the command line only asks and prints."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tinydream import source
from tinydream.board import Board
from tinydream.bridge import Device
from tinydream.budget import budget
from tinydream.build import build as build_project
from tinydream.codec import EntroGeDe, Representatives
from tinydream.codec.baseline import all_rows, random_rows, validation_rows
from tinydream.codec.entropy import table_entropy
from tinydream.codegen import write_project
from tinydream.data import Data, left_out
from tinydream.errors import BudgetError, LinkError, RunError
from tinydream.gather import gather
from tinydream.network import SGD, Adam, Network
from tinydream.network.keras import load_model
from tinydream.plan import Plan
from tinydream.ports import Port, begin, open_port
from tinydream.report import Report, accuracy_of, baseline_accuracy, make_page, make_report
from tinydream.run import Run
from tinydream.saving import keeping
from tinydream.simulator import Simulator
from tinydream.sketch import Names, read_representatives, sketch
from tinydream.training import Knobs, Metrics
from tinydream.watch import Teller

__all__ = [
    "Names",
    "Trained",
    "build",
    "compare",
    "compress",
    "generate",
    "is_built",
    "knobs_of",
    "open_port",
    "plan",
    "read_model",
    "read_representatives",
    "report",
    "sketch",
    "train",
    "write_report",
]

BITS = (2, 4, 8)  # of random rows that a projected run is compared with

# what a program is built from, in a generated project
PROJECT = ("platformio.ini", "src/*", "lib/**/*", "platform/**/*")


# ---- compress ----


def compress(
    run: Run, data: Data, codec: EntroGeDe, seed: int = 0, validation: float = 0.0
) -> dict[str, Any]:
    """Fit `codec` on the training rows; write representatives, held-out rows and the facts.

    seed: of the split that `data` came with, noted for those who want to repeat it. validation:
    share of the training rows that are kept back from `codec`, for `plan` to give to the device.
    """
    started = time.perf_counter()
    data, valid = source.carve(data, validation, seed)
    reps = codec.fit(data.X, data.y, groups=data.groups).representatives_
    dropped = left_out(data.features, reps.inputs.kept)
    facts = {
        "source": source.describe(data, seed, validation),
        **source.table_facts(data),
        "validation": len(valid.X),
        **_codec_facts(reps, codec),
        "notes": [*data.notes, *dropped, *source.part_note(len(data.X), reps.rows.rows)],
        "seconds": time.perf_counter() - started,
    }
    run.write_arrays(
        "representatives.npz",
        inputs=np.frombuffer(reps.inputs.to_bytes(), np.uint8),
        outputs=np.frombuffer(reps.outputs.to_bytes(), np.uint8),
        rows=np.frombuffer(reps.rows.to_bytes(), np.uint8),
        features=np.array(data.features),
        classes=np.array(data.classes),
        targets=np.array(data.targets),
    )
    run.write_arrays("heldout.npz", x=data.X_test, y=data.y_test)
    run.write_arrays("validation.npz", x=valid.X, y=valid.y)
    bits, entropy = table_entropy(data.X)
    run.write_arrays("entropy.npz", bits=bits, values=entropy)
    run.write_json("compress.json", facts)
    return facts


def _codec_facts(reps: Representatives, codec: EntroGeDe) -> dict[str, Any]:
    return {
        "kept": int(reps.inputs.kept.sum()),
        "inputs": reps.inputs.outputs,
        "scaled_inputs": reps.inputs.columns,
        "representatives": reps.rows.count,
        "representative_bytes": reps.nbytes,
        "row_bits": reps.rows.row_bits,
        "trials": [asdict(trial) for trial in codec.trials_],
        "chosen": codec.chosen_,
        "options": codec.get_params(),
    }


# ---- plan, generate, build ----


def plan(
    run: Run,
    board: Board,
    hidden: Sequence[int],
    optimizer: SGD | Adam,
    knobs: Knobs,
    batch: int,
    *,
    boot: str = "predict",
    **shape: Any,
) -> Plan:
    """Plan the training of a network with these hidden sizes; write the plan and its memory.

    boot: what a device does with saved weights when it starts, one of `saving.BOOTS`. shape: see
    `sketch`; a network's own weights are kept for trainings to begin with.
    """
    made = sketch(run, board, hidden, optimizer, batch, **shape)
    knobs.check(made.validation is not None)
    network = shape.get("network")
    if isinstance(network, str):
        run.write("network.toml", network.encode())
    run.write_initial(network.weights if isinstance(network, Network) else None)
    kept = keeping(made, board.storage) if board.storage else None
    uses = {
        use.region: {
            "need": use.need,
            "have": use.have,
            "buffers": [asdict(b) for b in use.buffers],
        }
        for use in budget(made, board)
    }
    facts = {
        "digest": made.digest.hex(),
        "board": board.id,
        "tile": made.tile,
        "knobs": knobs.as_dict(),
        "memory": uses,
        "boot": boot,
        "keeping": asdict(kept) if kept else None,
    }
    run.write("plan.bin", made.to_bytes())
    run.write_json("plan.json", facts)
    run.write("board.toml", board.text.encode())
    return made


def read_model(run: Run, path: str | Path, optimizer: SGD | Adam | None = None) -> Network:
    """The network of a Keras model that takes the rows which `compress` was given.

    optimizer: of a model that was not compiled. Raises InputError for a file that is no such model,
    and what `Network.from_keras` raises.
    """
    return Network.from_keras(load_model(path), read_representatives(run)[0], optimizer)


def generate(run: Run, *, self_test: bool = False, port: Path | None = None) -> Path:
    """Write the PlatformIO project of the run's plan.

    self_test: the device begins with one. port: a folder with a port of one's own.
    """
    made = run.plan()
    switches = {"TD_BOOT": run.boot()}
    if self_test:
        switches["TD_SELF_TEST"] = Simulator(made).first_steps()
    try:
        write_project(made, run.firmware, run.board(made), port, **switches)
    except OSError as error:
        raise RunError(f"{run.firmware} cannot be written: {error.strerror or error}") from None
    return run.firmware


def build(run: Run, on_output: Callable[[str], Any] | None = None) -> Path:
    """Build the generated project; it must be the plan's."""
    made = run.plan()
    header = run.firmware / "src" / "td_plan.h"
    if not header.is_file():
        raise RunError(f"{run.firmware} holds no firmware project; run `tinydream generate` first")
    if made.digest.hex() not in header.read_text(encoding="utf-8", errors="replace"):
        raise RunError(
            f"{run.firmware} was generated from another plan; run `tinydream generate` again"
        )
    if program := is_built(run, made):
        return program
    program = build_project(run.firmware, on_output=on_output)
    place = program.resolve().relative_to(run.folder.resolve())
    run.write_json("build.json", {"digest": made.digest.hex(), "program": str(place)})
    return program


def is_built(run: Run, made: Plan) -> Path | None:
    """The program, when it was built from this plan and nothing has been touched since."""
    try:
        program = run.program(made)
        built = program.stat().st_mtime_ns
        sources = [p for name in PROJECT for p in run.firmware.glob(name)]
        return program if all(p.stat().st_mtime_ns < built for p in sources) else None
    except (RunError, OSError):
        return None


# ---- train ----


@dataclass(frozen=True)
class Trained:
    """What `train` came to; `weights` are on the host and verified against the device's CRC.

    step_ticks: what one step took on average, in tick_unit; None on a port without a clock.
    """

    plan: Plan
    port: str
    knobs: Knobs
    metrics: Metrics
    weights: NDArray[np.float32]
    seconds: float
    step_ticks: float | None
    tick_unit: str


def train(
    run: Run,
    port: str,
    on_metrics: Callable[[Metrics], Any] | None = None,
    teller: Teller | None = None,
    *,
    save_every: int = 0,
    wait: float = 60.0,
    **changes: Any,
) -> Trained:
    """Train on a port, log each epoch as it comes, and pull the weights.

    teller: tells those who watch; save_every: see `open_port`; wait: seconds for which a board
    that went away is waited for; changes: knobs that differ from the plan's. The files of an
    earlier training are replaced only when this one is done.
    """
    made, knobs = run.plan(), knobs_of(run, changes)
    epochs: list[Metrics] = []
    teller = teller or Teller(port)
    started = time.perf_counter()

    def heard(metrics: Metrics) -> None:
        epochs.append(metrics)
        run.append("log.jsonl", {"event": "epoch", **asdict(metrics)})
        if on_metrics:
            on_metrics(metrics)
        teller.epoch(metrics, device)

    hears: dict[str, Any] = {"on_log": teller.log, "on_values": teller.values, "patience": wait}
    with open_port(run, made, port, save_every=save_every, **hears) as device:
        teller.opened(device)
        facts = {"digest": made.digest.hex(), "port": port, "knobs": knobs.as_dict()}
        run.write("log.jsonl", b"")
        run.append("log.jsonl", {"event": "start", **facts})
        fresh = begin(run, made, device)
        device.train(**knobs.as_dict(), fresh=fresh, on_metrics=heard)
        weights = np.array(device.pull(), np.float32)
        unit, observed = device.tick_unit, _observed(device)
    if not epochs:
        raise LinkError(
            f"training on {port} ended and no epoch was heard of: its epochs are shorter than a"
            " message about one; train with more --epochs"
        )
    seconds = time.perf_counter() - started
    crc = f"{crc32(weights.astype('<f4').tobytes()):08x}"
    run.append("log.jsonl", {"event": "done", "crc32": crc})
    teller.say("done", epoch=epochs[-1].epoch, step=epochs[-1].step, crc32=crc, error="")
    run.write_weights(made, weights)
    step_ticks = _step_ticks(epochs, made.batch) if unit else None
    told = {"metrics": asdict(epochs[-1]), "crc32": crc, "tick_unit": unit, "observed": observed}
    run.write_json("train.json", facts | told | {"step_ticks": step_ticks, "seconds": seconds})
    return Trained(made, port, knobs, epochs[-1], weights, seconds, step_ticks, unit)


def knobs_of(run: Run, changes: Mapping[str, Any]) -> Knobs:
    """The plan's knobs with these changes; raises InputError when they contradict each other."""
    knobs = replace(run.knobs("plan.json"), **changes)
    knobs.check(run.plan().validation is not None)
    return knobs


def _observed(device: Port) -> dict[str, int] | None:
    """Bytes of RAM as the device tells them, the stack only where it knows."""
    if not isinstance(device, Device) or device.info is None:
        return None  # the simulator has none of these
    counts = device.counts()
    told = {"arena": device.info.arena_bytes, "node": counts.node_bytes, "stack": counts.stack}
    return {name: size for name, size in told.items() if size}


def _step_ticks(epochs: Sequence[Metrics], batch: int) -> float:
    """Ticks a step, over the epochs that were heard of; an epoch's last batch may be smaller."""
    return sum(m.ticks for m in epochs) / sum(-(-m.rows // batch) for m in epochs)


# ---- report ----


def report(run: Run, *, baselines: bool = True, seconds: dict[str, float] | None = None) -> Report:
    """Compare device and simulator, score the held-out rows, and train the baselines.

    Baselines need the table that was compressed; without it their lists are empty.
    """
    made = run.plan()
    board = run.board(made)
    trained = run.read_json("train.json", "digest", "port", "knobs", "seconds")
    if trained["digest"] != made.digest.hex():
        raise run.stale("train.json", f"it was trained from plan {trained['digest']}")
    facts = run.read_json("compress.json", "source", "rows", "raw_dtype", "raw_bytes", "seconds")
    knobs, weights, test = run.knobs("train.json"), run.weights(made), run.heldout()
    accuracy = {
        "device": [accuracy_of(made, weights, test.X, test.y)],
        "all_rows": [],
        "random_rows": [],
    }
    data = source.load_again(run, facts["source"]) if baselines else None
    if data is not None:
        valid = run.validation(made.validation.count) if made.validation else None
        reps = read_representatives(run)[0]
        for name, value in compare(made, reps, knobs, data, valid, run.initial(made)).items():
            accuracy[name].append(value)
    made_report = make_report(
        made,
        board,
        port=trained["port"],
        data=facts,
        weights=weights,
        weights_equal=_as_simulated(run, made, knobs, weights, trained["port"]),
        seeds=[knobs.seed],
        accuracy=accuracy,
        seconds={"compress": facts["seconds"], "train": trained["seconds"], **(seconds or {})},
    )
    write_report(run, made_report, board)
    return made_report


def _as_simulated(
    run: Run, made: Plan, knobs: Knobs, weights: NDArray[np.float32], port: str
) -> bool | None:
    """Whether the simulator comes to the same weights; None of Keras', which it does not."""
    if port == "keras":
        return None
    simulator = Simulator(made)
    simulator.train(**knobs.as_dict(), fresh=begin(run, made, simulator))
    return simulator.weights.tobytes() == weights.tobytes()


def write_report(run: Run, made: Report, board: Board, commands: Sequence[str] = ()) -> None:
    """Write report.json and report.html; commands: what was typed, if not verb by verb."""
    run.write("report.json", made.to_json().encode())
    run.write("report.html", make_page(gather(run, made, board, commands)).encode())


def compare(
    made: Plan,
    reps: Representatives,
    knobs: Knobs,
    data: Data,
    valid: tuple[NDArray[Any], NDArray[Any]] | None = None,
    initial: NDArray[np.float32] | None = None,
) -> dict[str, float]:
    """Held-out accuracy of the plan's network on all rows, and on random rows of as many bytes.

    Beside a projection random rows are tried at each of BITS, and the best on held-out rows
    counts: nobody could have told these bits before, so this favours random rows. valid: the
    plan's validation rows; the rivals have them, too, each on its own grid. initial: weights to
    begin with, None for drawn ones.
    """

    def score(rival: Representatives) -> float:
        held = validation_rows(rival, *valid) if valid else None
        plan = replace(made, validation=held)
        return baseline_accuracy(plan, rival, knobs, data.X_test, data.y_test, initial)

    tried: list[float] = []
    for bits in BITS if reps.inputs.projection else (None,):
        with suppress(BudgetError):
            tried.append(score(random_rows(reps, data.X, data.y, knobs.seed, bits)))
    if not tried:
        raise BudgetError(f"not one random row fits in {reps.nbytes} bytes; take a larger budget")
    return {"all_rows": score(all_rows(reps, data.X, data.y)), "random_rows": max(tried)}
