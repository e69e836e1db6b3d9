"""The verbs, as a user types them: tables, exit codes, one sentence for each refusal."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from verbs import wait_for_epochs

from tinydream import cli
from tinydream.run import Run


def test_every_verb_on_a_table_of_one_s_own(planned):
    verb = planned
    for arguments in (
        ["generate"],
        ["build"],
        ["train", "--port", "native"],
        ["pull", "--port", "native"],
    ):
        code, out, err = verb(*arguments)
        assert (code, err) == (0, ""), (arguments, err)
    code, out, err = verb("report", "--json")
    told = json.loads(out)
    assert code == 0 and told["weights_equal"] is True
    assert told["accuracy"]["device"][0] > 0.8 and len(told["accuracy"]["all_rows"]) == 1
    assert told == json.loads(Run("run").read("report.json"))


def test_sim_and_native_train_the_same_weights(planned):
    verb = planned
    crc = []
    verb("generate"), verb("build")
    for port in ("sim", "native"):
        assert verb("train", "--port", port, "--seed", 3)[0] == 0
        crc.append(Run("run").read_json("train.json")["crc32"])
    assert crc[0] == crc[1]


def test_each_epoch_is_a_line_of_the_log_in_its_order(planned):
    assert planned("train", "--port", "sim", "--epochs", 5)[0] == 0
    events = [json.loads(line) for line in Run("run").read("log.jsonl").splitlines()]
    assert [e["event"] for e in events] == ["start", *["epoch"] * 5, "done"]
    assert [e["epoch"] for e in events[1:-1]] == [1, 2, 3, 4, 5]


BAD = {
    "missing file": ("absent.csv", None, 2, "absent.csv"),
    "empty table": ("t.csv", "a,b,kind\n", 2, "no rows"),
    "one class": ("t.csv", "a,kind\n1,x\n2,x\n3,x\n", 2, "one class"),
    "unknown column": ("t.csv", "a,knd\n1,x\n2,y\n1,x\n2,y\n", 2, "knd"),
    "inf": ("t.csv", "a,kind\n1,x\ninf,y\n1,x\n2,y\n", 2, "'a'"),
    "text": ("t.csv", "a,kind\n1,x\nfoo,y\n1,x\n2,y\n", 2, "foo"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_gets_one_sentence_and_leaves_the_run_as_it_was(planned, case, tmp_path):
    name, text, exit_code, says = BAD[case]
    if text is not None:
        (tmp_path / name).write_text(text)
    before = snapshot("run")
    code, out, err = planned("compress", name, "--target", "kind")
    assert code == exit_code and out == ""
    assert err.count("\n") == 1 and says in err and "Traceback" not in err
    assert snapshot("run") == before


def snapshot(folder):
    return {p.name: p.read_bytes() for p in Run(folder).folder.iterdir() if p.is_file()}


def test_a_budget_too_small_for_one_row_a_class_is_exit_code_1(verb, table):
    code, out, err = verb("compress", table, "--target", "kind", "--budget-bytes", 5)
    assert code == 1 and "5 bytes" in err and not os.path.exists("run")


def test_a_board_that_is_unknown_or_too_small_says_so(planned):
    code, out, err = planned("plan", "--board", "nativ")
    assert code == 2 and "did you mean native" in err
    code, out, err = planned("plan", "--board", "qemu_netduinoplus2", "--hidden", "400,400")
    assert code == 1 and "over" in err and "--hidden" in err
    assert Run("run").plan().board == "native"


def test_verbs_out_of_order_name_the_verb_that_is_missing(verb, table):
    assert verb("plan", "--board", "native")[2].endswith("run `tinydream compress` first\n")
    verb("compress", table, "--target", "kind")
    assert "run `tinydream plan` first" in verb("train", "--port", "sim")[2]
    verb("plan", "--board", "native")
    assert "run `tinydream generate` first" in verb("build")[2]
    assert "run `tinydream build` first" in verb("train", "--port", "native")[2]
    assert "run `tinydream train` first" in verb("report")[2]


def test_a_plan_made_anew_makes_firmware_and_weights_stale(planned):
    verb = planned
    verb("generate"), verb("build"), verb("train", "--port", "native")
    verb("plan", "--board", "native", "--hidden", "5")
    for arguments in (
        ["build"],
        ["train", "--port", "native"],
        ["report"],
        ["pull", "--port", "sim"],
    ):
        code, out, err = verb(*arguments)
        assert code == 2 and "again" in err, arguments


def test_damaged_files_of_the_run_are_named(planned):
    Run("run").write("plan.bin", b"TDPLjunk")
    code, out, err = planned("train", "--port", "sim")
    assert code == 2 and "plan.bin is damaged" in err and err.count("\n") == 1


def test_the_seed_of_compress_decides_what_the_codec_draws_too(verb, table):
    """On rows that the file holds out itself, nothing else can differ."""
    x = np.random.default_rng(0).normal(size=(300, 4))
    np.savez(
        "apart.npz", x_train=x[:200], y_train=x[:200, 0] > 0, x_test=x[200:], y_test=x[200:, 0] > 0
    )
    told = []
    for seed in (0, 0, 3):
        assert verb("compress", "apart.npz", "--projection", "trained", "--seed", seed)[0] == 0
        told.append(Run("run").path("representatives.npz").read_bytes())
        assert Run("run").read_json("compress.json")["options"]["random_state"] == seed
    assert told[0] == told[1] != told[2]


def test_options_that_contradict_or_make_no_sense_are_refused(verb, table):
    assert "not both" in verb("compress", table, "--budget-bytes", 9, "--representatives", 9)[2]
    assert "--bits is" in verb("compress", table, "--bits", "17")[2]
    for arguments in (["compress", table], ["refill", table, "--port", "sim"]):
        code, _, err = verb(*arguments, "--seed", -1)
        assert code == 2 and "'--seed': -1 is not in the range" in err and err.count("\n") == 1
    verb("compress", table, "--target", "kind")
    assert "--hidden is" in verb("plan", "--board", "native", "--hidden", "a")[2]
    assert "rate must be" in verb("plan", "--board", "native", "--rate", "nan")[2]
    assert verb("frobnicate")[0] == 2


def test_a_bug_of_ours_is_exit_code_70_and_a_log(planned, monkeypatch):
    monkeypatch.setattr("tinydream.stages.generate", lambda run, **more: 1 // 0)
    code, out, err = planned("generate")
    log = err.split()[-1]
    assert code == 70 and err.count("\n") == 1 and "ZeroDivisionError" in err
    with open(log) as file:
        assert "Traceback" in file.read()
    os.unlink(log)


def test_a_device_killed_in_mid_training_is_exit_code_3_and_loses_nothing(planned, background):
    verb = planned
    verb("generate"), verb("build"), verb("train", "--port", "native")
    before = Run("run").read("weights.npz")
    Run("run").path("log.jsonl").unlink()
    host = background("train", "--port", "native", "--epochs", 10**6)
    wait_for_epochs(host)
    (device,) = Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split()
    os.kill(int(device), signal.SIGKILL)
    out, err = host.communicate(timeout=30)
    assert host.returncode == 3 and "epoch" in err and err.count("\n") == 1
    assert Run("run").read("weights.npz") == before


@pytest.mark.parametrize("port", ["sim", "native"])
def test_ctrl_c_is_exit_code_130_and_one_can_go_on(planned, background, port):
    verb = planned
    verb("generate"), verb("build")
    host = background("train", "--port", port, "--epochs", 10**6)
    wait_for_epochs(host)
    host.send_signal(signal.SIGINT)
    out, err = host.communicate(timeout=30)
    assert host.returncode == 130 and "Traceback" not in err
    assert verb("train", "--port", port)[0] == 0


@pytest.mark.parametrize("name", cli.verbs.commands)
def test_help_teaches_with_an_example_on_a_line_of_its_own(verb, name):
    code, out, err = verb(name, "--help")
    text = out.split("Options:")[0].rstrip().splitlines()
    assert code == 0 and text[-1].startswith("  Example: tinydream " + name)
    assert max(map(len, out.splitlines())) <= 100


def test_help_lists_the_verbs_in_the_order_of_a_run(verb):
    out = verb("--help")[1]
    order = [out.index(f"\n  {name} ") for name in ("compress", "plan", "build", "train", "report")]
    assert order == sorted(order) and "tinydream completion" in out
    assert "..." not in out.split("Commands:")[1], "a verb's first sentence is too long to list"
    assert verb()[0] == 2 and "Usage: tinydream" in verb()[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train"], "missing option '--port' / '-p'; without a board at hand: tinydream train"),
        (["plan"], "qemu_rv32imafc, qemu_rv32imc, teensy41, or a TOML file"),
        (["compress"], "missing argument 'DATA'; see `tinydream compress --help`"),
        (["trian"], "no such command 'trian'"),
        (["train", "--prt", "sim"], "no such option '--prt'"),
        (["plan", "-b", "native", "--batch", "x"], "'x' is not a valid integer; see `tinydream"),
        (["compress", "a.csv", "b.csv"], "unexpected extra argument"),
    ],
)
def test_wrong_arguments_get_one_sentence_like_everything_else(verb, arguments, says):
    code, out, err = verb(*arguments)
    assert (code, out) == (2, "") and err.startswith("tinydream: ")
    assert says in err and err.count("\n") == 1


def test_importing_tinydream_loads_no_library_that_a_script_may_never_use():
    slow = ["click", "jinja2", "platformio", "polars", "rich", "serial", "tensorflow"]
    probe = f"import sys, tinydream; print([each for each in {slow} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
