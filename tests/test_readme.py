"""README, SPEC and docstrings are read by the tests: what they say is what happens."""

import ast
import contextlib
import inspect
import os
import re
import shlex
import textwrap
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import tinydream as td
from tinydream import cli, errors
from tinydream.bridge.answer import MESSAGES
from tinydream.plan import FORMAT, KINDS, Plan
from tinydream.report import SCHEMA, Report
from tinydream.run import WRITERS
from tinydream.watch.event import KINDS as EVENTS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SPEC = (ROOT / "SPEC.md").read_text(encoding="utf-8")


# ---- README ----


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


@pytest.fixture
def tables(tmp_path):
    """table.csv and new.csv, as README's reader would have them."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = rng.normal(size=(300, 4)) + 3 * np.eye(3, 4)[y]
    rows = [",".join(f"{v:.3f}" for v in row) for row in x]
    labelled = [f"{row},{'abc'[k]}" for row, k in zip(rows, y, strict=True)]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,c,d,label", *labelled]) + "\n")
    (tmp_path / "new.csv").write_text("\n".join(["a,b,c,d", *rows[:20]]) + "\n")


@pytest.mark.needs("cc")
def test_the_lines_for_a_shell_work_in_their_order(verb, tables):
    for line in "".join(blocks("sh")).splitlines():
        for command in filter(None, map(str.strip, line.split("&&"))):
            first, *arguments = shlex.split(command, comments=True)
            if first.startswith("scripts/"):
                assert os.access(ROOT / first, os.X_OK), command
            elif first not in ("git", "cd"):
                assert first == "tinydream", command
                code, out, err = verb(*arguments)
                assert code == 0, (command, err)


@pytest.mark.parametrize("block", blocks("python"))
def test_the_lines_for_python_work(block, tables, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    assert float(capsys.readouterr().out.split()[0]) > 0.5


@pytest.mark.parametrize("document", ["README.md", "DESIGN.md", "SPEC.md", "boards/README.md"])
def test_every_verb_that_is_named_exists(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    code = "\n".join(
        [*re.findall(r"```\w+\n(.*?)```", text, re.S), *re.findall(r"`([^`\n]+)`", text)]
    )
    verbs = set(re.findall(r"^tinydream ([a-z]+)", code, re.M))
    assert verbs <= set(cli.verbs.commands)


def test_every_file_that_is_linked_exists():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


# ---- SPEC ----


def table(section, heading):
    """The rows of the table under `heading` in a section of SPEC.md, as lists of cells."""
    text = SPEC.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = text.split(f"\n| {heading} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_message_numbers_are_those_of_the_bridge():
    rows = table("Bridge", "type")
    events = [row[0].split()[0] for row in table("Bridge", "event")]
    numbers = [int(row[0].split()[0], 16) for row in rows]
    told = [row for row in rows if not row[2].startswith("empty")]  # the others say only: done
    answers = [int(row[0].split()[0], 16) + 0x80 for row in told]
    assert sorted([*numbers, *answers, *(int(e, 16) for e in events)]) == sorted(MESSAGES)


def test_report_keys_are_those_of_the_report():
    keys = [key for row in table("Report", "key") for key in row[0].split(", ")]
    assert sorted(keys) == sorted(field.name for field in fields(Report))
    assert f'"{SCHEMA}"' in SPEC


def test_events_are_those_that_watched_devices_tell():
    assert [row[0] for row in table("Events", "event")] == list(EVENTS)


def test_run_files_are_those_that_the_run_knows():
    rows = {row[0]: row[1] for row in table("Run folder", "file")}
    for name, writer in WRITERS.items():
        assert writer in rows[name].split(", "), f"{name} is written by {writer}"
    readable = {name for name in rows if "/" not in name and not name.startswith("export.")}
    assert readable == set(WRITERS)
    assert {verb for cell in rows.values() for verb in cell.split(", ")} <= set(cli.verbs.commands)


def test_plan_sections_are_those_of_the_plan():
    code = inspect.getsource(inspect.getmodule(Plan))
    written = re.findall(r'b"([A-Z]{4})": ', code)
    assert [row[0] for row in table("Plan", "tag")] == written
    kinds = re.search(r"a layer: u8 kind \((.*?)\)", SPEC)[1]
    told = dict(re.findall(r"(\d+) ([a-z][a-z0-9 ]*)", kinds))
    assert {name.replace(" ", "_"): int(number) for number, name in told.items()} == KINDS
    assert f"Format {FORMAT}." in SPEC


# ---- docstrings ----


@pytest.mark.parametrize("name", td.__all__)
def test_every_public_name_says_what_it_is(name):
    each = getattr(td, name)
    own = each.__doc__ or ""
    assert own and not own.startswith(f"{name}("), f"{name} has no docstring of its own"


def raised(function):
    """Our errors that a function raises itself, by `raise SomeError(...)`."""
    with contextlib.suppress(OSError, TypeError):
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        calls = (n.exc.func for n in ast.walk(tree) if isinstance(n, ast.Raise) and is_call(n.exc))
        return {call.id for call in calls if getattr(call, "id", None) in errors.__all__}
    return set()


def is_call(node):
    return isinstance(node, ast.Call)


def functions():
    """Public functions, and methods of public classes, with what documents their errors."""
    for name in td.__all__:
        each = getattr(td, name)
        if not inspect.isclass(each):
            yield pytest.param(each, each.__doc__, id=name)
            continue
        for key, method in vars(each).items():
            method = getattr(method, "__func__", method)
            if inspect.isfunction(method) and (key[0] != "_" or key.startswith("__")):
                text = (each.__doc__ or "") + (method.__doc__ or "")
                yield pytest.param(method, text, id=f"{name}.{key}")


@pytest.mark.parametrize(("function", "text"), list(functions()))
def test_errors_that_a_public_function_raises_are_in_its_docstring(function, text):
    for error in raised(function):
        assert error in text, f"{function.__qualname__} raises {error} and does not say so"
