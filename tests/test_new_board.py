"""A board of one's own: a file to begin with, a port to fill in, and the page about both."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from bridge_double import FAST, NODE, compile_c, small_plan, two_runs
from verbs import refused

from tinydream.board import list_boards, load_board
from tinydream.board.draft import draft_board
from tinydream.bridge import Device, ProcessLink
from tinydream.errors import BoardError

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "new-board.md").read_text()
TEMPLATE = ROOT / "firmware" / "port" / "template"
# the host as a chip: bytes come when the port looks for the clock or sleeps
CHIP = """
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
void port_received(uint8_t byte);
static void chip_start(void) {}
static void look(int wait)
{
    struct pollfd in = {0, POLLIN, 0};
    uint8_t bytes[64];
    if (poll(&in, 1, wait) <= 0)
        return;
    long count = (long)read(0, bytes, sizeof bytes);
    if (count <= 0)
        exit(0);
    for (long i = 0; i < count; i++)
        port_received(bytes[i]);
}
static int chip_can_send(void) { return 1; }
static void chip_send(uint8_t byte) { if (write(1, &byte, 1) != 1) exit(0); }
static uint32_t chip_microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    look(0);
    return (uint32_t)now.tv_sec * 1000000u + (uint32_t)now.tv_nsec / 1000u;
}
static void chip_lock(void) {}
static void chip_unlock(void) {}
static void chip_sleep(void) { look(100); }
static void chip_reset(void) { exit(0); }
"""


@pytest.mark.parametrize("like", list_boards())
def test_a_draft_is_a_board_whose_every_number_is_unverified(like, tmp_path):
    path = tmp_path / "my_board.toml"
    path.write_text(draft_board("my_board", load_board(like)))
    draft, model = load_board(path), load_board(like)
    assert draft.id == "my_board" and draft.name == f"like {model.name}"
    assert draft.regions == model.regions and draft.platformio == model.platformio
    assert all(fact.unverified for fact in draft.facts) and len(draft.facts) == len(model.facts)
    assert all(fact.source.startswith(f"as {like}: ") for fact in draft.facts)


@pytest.mark.parametrize("wrong", ["My board", "../x", "", "a" * 64, "native", "-x"])
def test_an_id_that_is_none_is_refused(wrong):
    with pytest.raises(BoardError, match="is no id of a board|ships with tinydream"):
        draft_board(wrong, load_board("native"))


def test_a_file_that_is_there_is_not_overwritten(verb):
    Path("my_board.toml").write_text("mine")
    code, _, err = verb("boards", "new", "my_board")
    assert code == 2 and "my_board.toml cannot be written: File exists" in err
    assert Path("my_board.toml").read_text() == "mine"


def test_the_template_asks_to_be_filled_in():
    core = ROOT / "firmware" / "lib" / "tinydream" / "src"
    done = subprocess.run(
        ["cc", "-fsyntax-only", f"-I{core}", TEMPLATE / "port.c"], capture_output=True, text=True
    )
    assert done.returncode and "fill in its functions" in done.stderr


@pytest.mark.needs("cc")
def test_the_template_trains_once_it_is_filled_in(tmp_path):
    (tmp_path / "chip.h").write_text(
        "#define _POSIX_C_SOURCE 200809L\n#include <stdint.h>\n" + CHIP
    )
    shutil.copy(TEMPLATE / "port.c", tmp_path)
    core = "firmware/lib/tinydream/src/"
    digest = ",".join(map(str, small_plan().digest))
    files = [
        *(core + name for name in NODE),
        "tests/c/fake_train.c",
        "firmware/port/main.c",
    ]
    switches = (f"-DFAKE_DIGEST={digest}", "-DTD_WITH_SAVE=0")  # nobody fakes a run's words
    program = compile_c("filled", *files, str(tmp_path / "port.c"), *switches)
    with Device.open(ProcessLink([program]), **FAST) as device:
        weights = two_runs(device)
    assert device.info.tick_unit == "us" and np.isfinite(weights).all() and weights.any()


@pytest.mark.slow
@pytest.mark.needs("arm")
@pytest.mark.needs("qemu")
def test_the_page_works_as_it_stands(verb):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 4)).round(3)
    lines = [",".join([*map(str, row), str(int(row[0] > row[1]))]) for row in X]
    Path("table.csv").write_text("a,b,c,d,label\n" + "\n".join(lines) + "\n")
    shutil.copytree(TEMPLATE, "my_port")
    Path("my_port/chip.h").write_text(re.search(r"```c\n(.*?)```", PAGE, re.S)[1])
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    assert [block.count("\n") for block in blocks] == [6, 4]
    for command in "".join(blocks).splitlines():
        code, _, err = verb(*shlex.split(command)[1:])
        assert code == 0, f"{command}: {err}"
    assert Path("run/board.toml").read_text() == Path("my_board.toml").read_text()
    told = json.loads(Path("run/report.json").read_text())
    assert told["weights_equal"] and told["port"] == "qemu"
    assert "chip_start" in Path("run/firmware/src/chip.h").read_text()
    assert json.loads(Path("run/train.json").read_text())["tick_unit"] == "us"


def test_a_port_of_ones_own_takes_the_place_of_ours(planned, tmp_path):
    sources = tmp_path / "run" / "firmware" / "src"
    assert planned("generate", "--port-folder", TEMPLATE)[0] == 0
    names = {path.name for path in sources.iterdir()}
    assert names == {"chip.h", "port.c", "main.c", "td_plan.c", "td_plan.h"}
    assert planned("generate")[0] == 0 and not (sources / "chip.h").exists()


def test_a_folder_without_a_port_is_refused(planned, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in ("absent", "empty"):
        refused(planned("generate", "--port-folder", place), 2, f"{place} is no folder with a port")
