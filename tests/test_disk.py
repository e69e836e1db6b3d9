"""The run folder when the disk is full, and when its files are damaged or stale."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from verbs import ended, refused

slow = pytest.mark.slow


# ---- the disk is full ----


@contextmanager
def small_disk(folder, size):
    """A file system of so few bytes at `folder`; skips where nobody may mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system can only be mounted as root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@slow
def test_every_verb_that_writes_says_so_when_the_disk_is_full(built, table, tmp_path):
    assert built("train", "--port", "sim")[0] == 0
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "256k"):
        for name in os.listdir("run"):
            if name != "firmware":
                shutil.copy(f"run/{name}", disk / name)
        fill(disk / "full")
        before = {path.name: path.read_bytes() for path in disk.iterdir()}
        for arguments in (
            ["compress", table, "--target", "kind"],
            ["plan", "--board", "native"],
            ["generate"],
            ["train", "--port", "sim"],
            ["report"],
        ):
            refused(built(*arguments, "-o", disk), 2, "No space left on device", str(disk))
            after = {path.name: path.read_bytes() for path in disk.iterdir() if path.is_file()}
            assert {**after, "log.jsonl": b""} == {**before, "log.jsonl": b""}, arguments


def fill(path):
    with open(path, "wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                pass


@slow
@pytest.mark.needs("cc")
def test_a_build_on_a_full_disk(planned, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "768k"):
        for name in os.listdir("run"):
            shutil.copy(f"run/{name}", disk / name)
        assert planned("generate", "-o", disk)[0] == 0
        fill(disk / "full")
        refused(planned("build", "-o", disk), 3, "No space left on device")
        (disk / "full").unlink()


@slow
def test_a_disk_that_fills_up_while_training_ends_it(planned, background):
    Path("run/log.jsonl").unlink(missing_ok=True)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000));"
    program = f"{limit} import tinydream.cli as c; c.main()"
    command = [sys.executable, "-c", program, "train", "--port", "sim", "--epochs", "100000"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as host:
        ended(host, 2, "log.jsonl cannot be written: File too large")
    assert planned("train", "--port", "sim")[0] == 0


def test_an_output_that_cannot_be_written_is_told(planned):
    command = [sys.executable, "-c", "import tinydream.cli as c; c.main()", "boards", "--json"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    refused((done.returncode, "", done.stderr), 2, "the output cannot be written: No space left")


# ---- the run folder ----

READERS = {
    "compress.json": ["report"],
    "compress.json ": ["inspect"],
    "representatives.npz": ["plan", "--board", "native"],
    "heldout.npz": ["report"],
    "plan.bin": ["generate"],
    "plan.json": ["train", "--port", "sim", "--epochs", 1],
    "build.json": ["train", "--port", "native", "--epochs", 1],
    "train.json": ["report", "--no-baselines"],
    "weights.npz": ["pull", "--port", "sim"],
}


def damages(data, is_json):
    yield from (b"", data[: len(data) // 2], bytes(len(data)), b"\xff\xfe" + data)
    if is_json:
        yield from (b"[]", b"null", b"NaN")
        content = json.loads(data)
        for path in [*paths(content)]:
            yield from (changed(data, path, value) for value in (None, "x", -1, [], {}, 1e999))
            yield changed(data, path)


def paths(content, above=()):
    for key in content:
        yield (*above, key)
        if isinstance(content[key], dict) and key in ("source", "knobs"):
            yield from paths(content[key], (*above, key))


def changed(data, path, *value):
    content = inner = json.loads(data)
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    for each in value:
        inner[path[-1]] = each
    return json.dumps(content).encode()


@slow
@pytest.mark.needs("cc")
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_named_with_the_verb_that_renews_it(built, name):
    for arguments in (["train", "--port", "native"], ["report", "--no-baselines"]):
        assert built(*arguments)[0] == 0
    shutil.copytree("run", "good", ignore=shutil.ignore_patterns("firmware"))
    readers, name = READERS[name], name.strip()
    good = Path("good", name).read_bytes()
    refusals = 0
    for bad in damages(good, name.endswith(".json")):
        shutil.copytree("good", "run", dirs_exist_ok=True)
        Path("run", name).write_bytes(bad)
        result = built(*readers)
        if result[0] != 0:  # a key that this verb does not read may hold anything
            refused(result, 2, name, "run `tinydream ", "again")
            refusals += 1
    assert refusals >= 4


def test_a_table_compressed_anew_makes_what_followed_stale(planned, table):
    assert planned("train", "--port", "sim")[0] == 0
    assert planned("compress", table, "--target", "kind", "--budget-bytes", 300)[0] == 0
    for arguments in (["generate"], ["train", "--port", "sim"], ["report"], ["pull", "-p", "sim"]):
        refused(planned(*arguments), 2, "plan.bin is stale", "run `tinydream plan` again")
