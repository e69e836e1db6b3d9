"""Watching: what a device tells arrives in every sink, whoever began the run, whatever breaks."""

import csv
import io
import json
import re
import signal
import socket
import struct
import sys
import time
from pathlib import Path

import pytest
from board_double import SLOW, PluggedBoard
from bridge_double import small_plan
from rich.console import Console
from verbs import refused

from tinydream.bridge import SerialLink
from tinydream.cli.live import View
from tinydream.errors import LinkError
from tinydream.run import Run
from tinydream.training import Knobs
from tinydream.watch import (
    Event,
    JsonLines,
    Lines,
    Seen,
    Teleplot,
    TensorBoard,
    Track,
    Watch,
    step_time,
)

pytestmark = pytest.mark.needs("cc")


@pytest.fixture
def board(tmp_path):
    """Makes boards on ports of these names."""
    boards = []

    def make(name="ttyACM0"):
        boards.append(PluggedBoard(tmp_path / name))
        return boards[-1]

    yield make
    for each in boards:
        each.unplug()


def logged():
    """The epochs of the run's log."""
    lines = map(json.loads, Run("run").read("log.jsonl").splitlines())
    return [line for line in lines if line["event"] == "epoch"]


# ---- sinks ----


def test_a_training_goes_into_json_lines_csv_and_tensorboard_alike(planned):
    to = ("--jsonl", "all.jsonl", "--csv", "all.csv", "--tensorboard", "tb")
    assert planned("train", "--port", "sim", "--epochs", 4, *to)[0] == 0
    epochs = logged()
    events = [json.loads(line) for line in Path("all.jsonl").read_text().splitlines()]
    assert [e["event"] for e in events] == ["open", "link", *["epoch"] * 4, "done"]
    with open("all.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    told = [e for e in events if e["event"] == "epoch"]
    for i, epoch in enumerate(epochs):
        for key in ("epoch", "step", "rows", "correct", "loss"):
            assert told[i][key] == epoch[key] == float(rows[i][key])
        assert rows[i]["device"] == "sim" and rows[i]["step_ticks"] == ""
    assert scalars("tb/sim")["loss/drawn"] == [
        (e["epoch"], pytest.approx(e["loss"])) for e in epochs
    ]


def scalars(folder):
    """What TensorBoard would show: (step, value) by tag."""
    from tensorboardX.proto.event_pb2 import Event as Record

    found = {}
    (file,) = Run(folder).folder.glob("events.out.tfevents.*")
    data = file.read_bytes()
    while data:
        (size,) = struct.unpack("<Q", data[:8])
        record = Record.FromString(data[12 : 12 + size])
        for value in record.summary.value:
            found.setdefault(value.tag, []).append((record.step, value.simple_value))
        data = data[16 + size :]
    return found


def test_teleplot_gets_lines_or_packets(planned):
    code, out, err = planned("train", "--port", "sim", "--epochs", 2, "--teleplot")
    losses = [f">loss:{e['loss']:g}" for e in logged()]
    assert code == 0 and [x for x in out.splitlines() if x.startswith(">loss")] == losses
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        door.settimeout(5)
        where = f"127.0.0.1:{door.getsockname()[1]}"
        assert planned("train", "--port", "sim", "--epochs", 1, "--teleplot", where)[0] == 0
        assert door.recv(100).decode() == losses[0][1:]


def test_plain_training_is_a_line_an_epoch_on_standard_error(built):
    code, out, err = built("train", "--port", "native", "--epochs", 3, "--plain")
    lines = err.splitlines()
    assert code == 0 and out.startswith("trained")
    assert lines[0].startswith("native  board native, plan ")
    for i, epoch in enumerate(logged(), 1):
        assert f"epoch {i}  loss {epoch['loss']:.4f}  drawn rows right" in lines[i]
        assert re.search(r"a step [\d.e+]+ (ns|us|ms)$", lines[i])
    assert lines[-1] == "native  done after epoch 3"


def test_where_nothing_can_be_recorded_is_refused_before_training(planned):
    train = ("train", "--port", "sim")
    refused(planned(*train, "--jsonl", "no/such.jsonl"), 2, "no/such.jsonl cannot be written")
    refused(planned(*train, "--csv", "no/such.csv"), 2, "no/such.csv cannot be written")
    refused(planned(*train, "--teleplot", "here"), 2, "HOST:PORT", "'here'")
    refused(planned(*train, "--jsonl", "-", "--csv", "-"), 2, "only one thing can be printed")
    refused(planned(*train, "--csv", "-", "--json"), 2, "only one thing can be printed")
    assert not Run("run").has("log.jsonl")


def test_tensorboard_without_its_library_says_what_to_install(planned, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    said = planned("train", "--port", "sim", "--tensorboard", "tb")
    refused(said, 2, "pip install 'tinydream[tensorboard]'")


# ---- monitor ----


def test_monitor_joins_a_run_that_is_under_way_and_ends_with_it(verb, board):
    plugged = board()
    plugged.train(epochs=60, seed=SLOW)
    time.sleep(0.1)
    code, out, err = verb("monitor", "--port", plugged.port, "--until-done", "--jsonl", "-")
    events = [json.loads(line) for line in out.splitlines()]
    epochs = [e["epoch"] for e in events if e["event"] == "epoch"]
    assert (code, err) == (0, "")
    assert events[0]["event"] == "open" and events[0]["digest"] == small_plan().digest.hex()
    assert epochs and epochs[0] > 1 and epochs == list(range(epochs[0], 61))
    assert events[-1]["event"] == "done" and events[-1]["epoch"] == 60


def test_several_boards_are_watched_at_once(verb, board):
    boards = [board(f"ttyACM{i}") for i in range(3)]
    for i, each in enumerate(boards):
        each.train(epochs=20 + i, seed=SLOW)
    ports = [word for each in boards for word in ("--port", each.port)]
    code, out, err = verb("monitor", *ports, "--until-done")
    assert (code, err) == (0, "")
    for i, each in enumerate(boards):
        assert f"{each.port}  done after epoch {20 + i}\n" in out


def test_monitor_of_idle_boards_ends_at_once_when_it_need_not_wait(verb, board):
    code, out, err = verb("monitor", "--port", board().port, "--until-done")
    assert (code, err) == (0, "") and out.endswith("  idle\n")


def test_ctrl_c_ends_the_watching_and_not_the_training(verb, board, background):
    plugged = board()
    plugged.train(epochs=10**6, seed=SLOW)
    host = background("monitor", "--port", plugged.port, "--csv", "log.csv", "--plain")
    assert "epoch" in [host.stdout.readline() for _ in range(4)][-1]
    host.send_signal(signal.SIGINT)
    out, err = host.communicate(timeout=30)
    assert host.returncode == 130 and "Traceback" not in err and "interrupted" in err
    assert plugged.running()


def test_a_board_that_is_unplugged_is_waited_for_and_watched_on(board):
    plugged = board()
    with Watch({plugged.port: lambda: SerialLink(plugged.port)}) as watch:
        follower, events, seen = watch.followers[plugged.port], watch.events(), Seen(plugged.port)

        def until(kind):
            for event in events:
                seen.take(event)
                if event.kind == kind:
                    return event

        follower.start(Knobs(epochs=10**6, seed=SLOW))
        until("epoch")
        plugged.unplug()
        while seen.up:
            until("link")
        assert "check cable and power" in seen.why or "does not exist" in seen.why
        plugged.plug()
        until("open")
        follower.start(Knobs(epochs=3))
        assert until("done").values["epoch"] == 3
    assert seen.up and seen.epoch == 3 and not seen.running


def test_a_port_that_is_not_there_at_the_beginning_is_exit_code_3(verb):
    refused(verb("monitor", "--port", "/dev/nothing"), 3, "'/dev/nothing' does not exist")


def test_the_simulator_is_no_device_to_attach_to(verb):
    refused(verb("monitor", "--port", "sim"), 2, "tinydream train --port sim")


def test_a_patient_watch_waits_for_boards_that_are_not_there_yet():
    def nothing():
        raise LinkError("nothing there")

    with Watch({"a": nothing}, patient=True) as watch:
        event = next(watch.events())
    assert event.kind == "link" and event.values["why"] == "nothing there"


def test_a_request_that_the_device_refuses_is_told_and_the_watch_goes_on(board):
    plugged = board()
    with Watch({"x": lambda: SerialLink(plugged.port)}) as watch:
        follower = watch.followers["x"]
        for _ in range(2):
            follower.start(Knobs(epochs=10**6, seed=SLOW))
        events = watch.events()
        event = next(e for e in events if e.kind == "refused")
        assert "TD_EBUSY" in event.values["why"]
        follower.stop()
        assert next(e for e in events if e.kind == "done").values["error"] == ""
        got = []
        follower.pull(lambda digest, weights: got.append((digest, weights.shape)))
        follower.start(Knobs(epochs=1))
        assert next(e for e in events if e.kind == "done")
    assert got == [(small_plan().digest, (150,))]


def test_a_run_is_held_and_let_go_on(board):
    plugged = board()
    with Watch({"x": lambda: SerialLink(plugged.port)}) as watch:
        follower, events = watch.followers["x"], watch.events()
        follower.start(Knobs(epochs=10**6, seed=SLOW))
        next(e for e in events if e.kind == "epoch")
        follower.pause()
        held = next(e for e in events if e.kind == "state" and e.values["paused"])
        assert held.values["running"]
        follower.resume()
        assert next(e for e in events if e.kind == "epoch").values["epoch"] > held.values["epoch"]
        follower.stop()
        assert next(e for e in events if e.kind == "done")
        follower.save()
        assert next(e for e in events if e.kind in ("log", "refused"))


def test_numbers_of_the_firmwares_own_go_everywhere(tmp_path, capsys):
    told = (
        event("channels", temp="C", time="s"),
        event("epoch", **EPOCH),
        event("values", temp=21.5, time=3),
    )
    seen, shown = Seen("/dev/ttyACM0"), io.StringIO()
    sinks = (JsonLines("-"), Teleplot("-"), Lines(shown), TensorBoard(str(tmp_path)), seen)
    for each in told:
        for sink in sinks:
            sink.take(each)
    for sink in sinks[:-1]:
        sink.close()
    assert seen.words() == "temp 21.5 C, time 3 s"
    seen.take(event("values", temp=22.0, time=float("nan")))  # the last of an epoch counts
    assert seen.own["temp"].points == [(3, 22.0)] and seen.own["time"].points == [(3, 3.0)]
    out = capsys.readouterr().out.splitlines()
    assert json.loads(out[0])["channels"] == {"temp": "C", "time": "s"}
    assert ">temp:21.5" in out and json.loads(out[-3])["values"] == {"temp": 21.5, "time": 3}
    assert shown.getvalue().endswith("  temp 21.5  time 3\n")
    assert scalars(tmp_path / "ttyACM0")["channels/temp"] == [(4, 21.5)]


# ---- views ----


def test_a_curve_of_any_length_keeps_its_shape_in_bounded_memory():
    track = Track(64)
    for x in range(100_000):
        track.add(x, 1 / (1 + x))
    assert len(track.points) <= 64 and track.points[0] == (0, 1.0)
    gaps = {b[0] - a[0] for a, b in zip(track.points, track.points[1:], strict=False)}
    assert len(gaps) == 1 and track.points[-1][0] + max(gaps) >= 100_000
    shape = track.shape(10)
    assert len(shape) == 10 and shape == sorted(shape, reverse=True)


def event(kind, **values):
    return Event("/dev/ttyACM0", kind, values, 0.0)


WHO = {"board": "pico", "digest": "ab" * 8, "parameters": 9, "arena_bytes": 512, "tick_unit": "us"}
EPOCH = {"epoch": 3, "step": 30, "rows": 100, "correct": 50, "loss": 0.25, "accuracy": 0.5}
EPOCH |= {"valid_rows": 10, "valid_loss": 0.5, "valid_correct": 4, "best": 2, "step_ticks": 1500.0}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_live_view_shows_curves_memory_link_and_log(encoding):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, force_terminal=True, width=90)
    view = View(console, lambda digest: "ram 1,000 of 2,000 B")
    for i in range(1, 4):
        view.take(event("open", **WHO)) if i == 1 else None
        view.take(event("epoch", **EPOCH | {"epoch": i, "loss": 1 / i}))
    view.take(event("link", up=True, why="", lost=2, damaged=1))
    view.take(event("log", text="[low] battery"))
    view.close()
    file.seek(0)
    text = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", file.read())
    for part in (
        "/dev/ttyACM0  training, epoch 3 ", "0.3333", "0.5000, least in epoch 2",
        "50.0% of drawn rows", "1.5 ms", "abababababababab for pico", "ram 1,000 of 2,000 B",
        "2 events lost, 1 pieces damaged", "[low] battery", "█▃▁" if encoding == "utf-8" else "^._",
    ):  # fmt: skip
        assert part in text, (part, text)


def test_lines_tell_only_what_is_known():
    file = io.StringIO()
    lines = Lines(file)
    bare = {"epoch": 1, "loss": 0.5, "valid_rows": 0}
    lines.take(event("epoch", **bare))
    lines.take(event("link", up=True, why="", lost=0, damaged=0))
    lines.take(event("link", up=False, why="cable", lost=0, damaged=0))
    lines.take(event("done", epoch=4, step=9, crc32="0", error="TD_ENUMERIC (-6): odd"))
    lines.close()
    assert file.getvalue().splitlines() == [
        "/dev/ttyACM0  epoch 1  loss 0.5000",
        "/dev/ttyACM0  link lost: cable",
        "/dev/ttyACM0  done after epoch 4, TD_ENUMERIC (-6): odd",
    ]


@pytest.mark.parametrize(
    ("ticks", "unit", "words"),
    [
        (1234, "ns", "1.23 us"),
        (5e6, "us", "5 s"),
        (0.5, "ns", "0.5 ns"),
        (1e6, "instructions (emulated)", "1,000,000 instructions (emulated)"),
    ],
)
def test_a_step_is_told_as_time_where_ticks_are_time(ticks, unit, words):
    assert step_time(ticks, unit) == words
