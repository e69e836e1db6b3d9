"""Emulated boards through the verbs: those that ship, one's own, the smallest on real data."""

import json
from pathlib import Path

import pytest

from tinydream import cli
from tinydream.report.compare import accuracy_of
from tinydream.resources import boards_folder
from tinydream.run import Run

BOARD = "qemu_netduinoplus2"

pytestmark = [pytest.mark.needs("qemu"), pytest.mark.slow]


def test_the_verbs_train_on_an_emulated_board(table, verb):
    for arguments in (
        ["compress", table, "--target", "kind", "--budget-bytes", 400],
        ["plan", "--board", BOARD, "--epochs", 8, "--hidden", 8],
        ["generate"],
        ["build"],
    ):
        assert verb(*arguments)[0] == 0, arguments
    code, out, err = verb("train", "--port", "qemu")
    assert (code, err) == (0, "") and "instructions (emulated)" in out
    told = json.loads(Path("run/train.json").read_text())
    assert told["tick_unit"] == "instructions (emulated)" and 1e3 < told["step_ticks"] < 1e6
    assert verb("pull", "--port", "qemu")[0] == 0
    code, out, err = verb("report", "--json")
    report = json.loads(out)
    assert (report["board"], report["port"], report["weights_equal"]) == (BOARD, "qemu", True)
    assert verb("verify", "--port", "qemu")[0] == verb("train", "--port", "sim")[0] == 0
    assert json.loads(Path("run/train.json").read_text())["crc32"] == told["crc32"]


def test_a_plan_for_a_board_that_is_not_emulated_is_refused(table, verb):
    verb("compress", table, "--target", "kind", "--budget-bytes", 400)
    verb("plan", "--board", "native")
    code, out, err = verb("train", "--port", "qemu")
    assert code == 2 and "runs plans for a board that QEMU emulates and this one is for 'na" in err
    assert f"`tinydream plan --board {BOARD}`" in err and err.count("\n") == 1


# ---- a board of one's own ----


@pytest.fixture
def own_board(tmp_path):
    """A file beside the run: some board that ships under another name, perhaps changed."""

    def write(origin, *change):
        text = (boards_folder() / f"{origin}.toml").read_text()
        text = text.replace(f'id = "{origin}"', 'id = "my_board"')
        if change:
            assert change[0] in text
            text = text.replace(*change)
        (tmp_path / "my_board.toml").write_text(text)
        return tmp_path / "my_board.toml"

    return write


@pytest.mark.parametrize(
    ("origin", "named"), [("qemu_microbit", "my_board.toml"), ("qemu_rv32imc", "my_board")]
)
def test_a_board_of_ones_own_is_built_and_emulated(origin, named, table, verb, own_board, require):
    require("riscv" if "rv32" in origin else "qemu")
    file = own_board(origin)
    verb("compress", table, "--target", "kind", "--budget-bytes", 400)
    assert verb("plan", "--board", named, "--epochs", 2, "--hidden", 8)[0] == 0
    file.unlink()  # the run has a copy
    assert verb("generate")[0] == verb("build")[0] == 0
    assert verb("train", "--port", "qemu")[0] == 0
    crc = json.loads(Path("run/train.json").read_text())["crc32"]
    code, out, err = verb("report", "--no-baselines", "--json")
    assert (json.loads(out)["board"], json.loads(out)["weights_equal"]) == ("my_board", True)
    assert verb("train", "--port", "sim")[0] == 0
    assert json.loads(Path("run/train.json").read_text())["crc32"] == crc


def test_a_board_of_ones_own_that_nothing_emulates_is_refused(table, verb, own_board):
    own_board("qemu_microbit", '[qemu]\nmachine = "microbit"\n', "")
    verb("compress", table, "--target", "kind", "--budget-bytes", 400)
    verb("plan", "--board", "my_board.toml")
    code, out, err = verb("train", "--port", "qemu")
    assert code == 2 and "a board that QEMU emulates and this one is for 'my_board'" in err


def test_an_emulator_that_is_unknown_is_named_and_not_started(table, verb, own_board):
    own_board(
        "qemu_microbit", 'machine = "micro', 'program = "qemu-system-pdp11"\nmachine = "micro'
    )
    verb("compress", table, "--target", "kind", "--budget-bytes", 400)
    code, out, err = verb("plan", "-b", "my_board", "--hidden", 4)
    assert code == 2 and "'program' must be one of qemu-system-arm, qemu-system-ri" in err


def test_a_damaged_copy_of_the_board_is_refused_with_the_verb_that_renews_it(planned):
    Path("run/board.toml").write_text("id = 1")
    code, out, err = planned("generate")
    assert code == 2 and err.count("\n") == 1
    assert "run/board.toml is damaged" in err and "run `tinydream plan` again" in err


# ---- the smallest board on real data ----


def heldout_accuracy(folder, data, *, compress, plan):
    """Of a network that was trained on an emulated core."""
    for words in (
        ["compress", data, *compress.split()],
        ["plan", *plan.split()],
        ["generate"],
        ["build"],
        ["train", "--port", "qemu"],
    ):
        assert cli._run([*map(str, words), "-o", str(folder)]) == 0, words
    run = Run(folder)
    made, test = run.plan(), run.heldout()
    return accuracy_of(made, run.weights(made), test.X, test.y)


def test_16_kb_learn_ten_strokes_as_well_as_a_cortex_m4(data_dir, tmp_path, capsys):
    data = data_dir / "magic_wand_digits.npz"
    large = heldout_accuracy(
        tmp_path / "m4",
        data,
        compress="--budget-bytes 8192",
        plan=f"--board {BOARD} --hidden 32 --epochs 20",
    )
    small = heldout_accuracy(
        tmp_path / "m0",
        data,
        compress="--budget-bytes 3072 --projection trained",
        plan="--board qemu_microbit --hidden 24 --epochs 12",
    )
    assert large > 0.95 and small >= large - 0.02, (large, small)
