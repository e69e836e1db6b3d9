"""The filter for `pio device monitor`: frames become lines, whatever else is on the line."""

import importlib.util
from pathlib import Path

import pytest
from bridge_double import small_plan
from platformio.project.config import ProjectConfig

from tinydream.board import load_board
from tinydream.bridge.frame import encode
from tinydream.bridge.message import Done, Metrics
from tinydream.codegen import write_project

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "firmware/monitor/filter_tinydream.py"

EPOCH = encode(0xC1, 7, Metrics(3, 15, 50, 25, 0.25, 10, 4, 0.5, 2, 99).pack())
LINE = "epoch 3  loss 0.2500  drawn rows right 50.0%  validation loss 0.5000\n"


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """What the filter makes of bytes that come in such pieces."""
    monkeypatch.chdir(tmp_path)  # PlatformIO looks for a project where it stands
    spec = importlib.util.spec_from_file_location("filter_tinydream", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    device = module.Tinydream()
    return lambda *pieces: "".join(device.rx(piece.decode("latin-1")) for piece in pieces)


def test_an_epoch_and_the_end_of_a_run_are_lines(shown):
    assert shown(EPOCH) == LINE
    assert shown(encode(0xC2, 8, Done(3, 15, 1, 0).pack())) == "done after epoch 3\n"
    assert shown(encode(0xC2, 9, Done(3, 15, 1, -6).pack())) == "done after epoch 3, error -6\n"


def test_frames_may_come_byte_by_byte(shown):
    assert shown(*(EPOCH[i : i + 1] for i in range(len(EPOCH)))) == LINE


def test_text_is_shown_at_once_and_damage_is_not(shown):
    assert shown("grüße\r\n".encode()) == "grüße\r\n"
    assert shown(EPOCH[:9] + b"\xff" + EPOCH[10:]) == ""
    assert shown(bytes(range(128, 256)) * 20, b"\0") == ""
    assert shown(EPOCH + b"ok\n") == LINE + "ok\n"


def test_a_generated_project_brings_the_filter_and_names_it(tmp_path):
    write_project(small_plan(), tmp_path / "p", load_board("native"))
    assert (tmp_path / "p/monitor/filter_tinydream.py").read_bytes() == FILE.read_bytes()
    config = ProjectConfig(str(tmp_path / "p/platformio.ini"))
    options = config.items(env="native", as_dict=True)
    assert options["monitor_filters"] == ["tinydream"] and options["monitor_encoding"] == "latin1"
