"""What the Tab key suggests, and the script that asks for it."""

import os
import shutil
import subprocess
import sys

import pytest

from tinydream import cli

TINYDREAM = [sys.executable, "-c", "import tinydream.cli as c; c.main()"]


def suggestions(*words):
    """What follows `tinydream WORDS`, of which the last is being typed: (kind, value)."""
    line = ["tinydream", *words]
    asked = {
        "_TINYDREAM_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(line),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        TINYDREAM, env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return [tuple(line.split(",", 1)) for line in done.stdout.splitlines()]


def values(*words):
    return [value for _, value in suggestions(*words)]


def test_verbs_are_suggested():
    assert values("ins") == ["inspect"]
    assert set(values("")) == set(cli.verbs.commands)


def test_options_are_suggested():
    assert values("train", "--ep") == ["--epochs"]
    assert {"--port", "--json", "--out", "--help"} <= set(values("train", "--"))


def test_board_ids_are_suggested_and_files_where_a_path_begins():
    assert values("plan", "--board", "nat") == ["native"]
    assert "qemu_netduinoplus2" in values("plan", "-b", "")
    assert suggestions("plan", "--board", "./mine") == [("file", "./mine")]


@pytest.mark.parametrize("verb", ["train", "pull", "verify", "monitor", "dashboard"])
def test_ports_are_suggested(verb):
    assert values(verb, "--port", "n") == ["native"]
    assert {"sim", "native", "qemu"} <= set(values(verb, "--port", ""))


def test_serial_ports_are_suggested(monkeypatch):
    from tinydream.cli import options

    monkeypatch.setattr(options, "port_names", lambda: ["/dev/ttyACM7"])
    option = next(p for p in cli.verbs.commands["train"].params if p.name == "ports")
    context = cli.verbs.make_context("tinydream", ["train", "-p", "sim"])
    found = option.shell_complete(context, "/dev/ttyA")
    assert [item.value for item in found] == ["/dev/ttyACM7"]


def test_files_and_run_folders_are_left_to_the_shell():
    assert suggestions("compress", "tab") == [("file", "tab")]
    assert suggestions("predict", "x.csv", "--weights", "run/w") == [("file", "run/w")]
    assert suggestions("report", "-o", "ru") == [("dir", "ru")]


def test_shells_are_suggested():
    assert values("completion", "b") == ["bash"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_tinydream(verb, shell):
    code, out, err = verb("completion", shell)
    assert code == 0 and f"_TINYDREAM_COMPLETE={shell}_complete" in out


def test_the_script_is_good_bash(verb, tmp_path):
    if not shutil.which("bash"):
        pytest.skip("bash not on PATH")
    (tmp_path / "script").write_text(verb("completion", "bash")[1])
    command = "source ./script && complete -p tinydream"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "" and "_tinydream_completion" in done.stdout


def test_the_shell_is_the_one_in_use_or_must_be_named(verb, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "fish_complete" in verb("completion")[1]
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    code, out, err = verb("completion")
    assert code == 2 and "tcsh" in err and "bash|zsh|fish" in err
