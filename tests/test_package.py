"""Wheel and sdist: what is in them, and that they work where no source tree is."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import absent

ROOT = Path(__file__).resolve().parent.parent
CACHES = ("__pycache__", ".*_cache", ".pio", ".hypothesis")
OURS = (".git", ".venv*", "build", "dist", "run*")  # only at the top
SDIST = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"

pytestmark = pytest.mark.slow


def run(*command, cwd):
    """A command that must succeed, without what this Python or the shell could lend to it."""
    lent = ("PYTHONPATH", "VIRTUAL_ENV", "XDG_CACHE_HOME")
    env = {name: value for name, value in os.environ.items() if name not in lent}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} in {cwd}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def pip(python, *arguments, cwd):
    return run(python, "-m", "pip", "--disable-pip-version-check", *arguments, "--quiet", cwd=cwd)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the source tree, as git would give it."""

    def ignore(folder, names):
        return shutil.ignore_patterns(*CACHES, *OURS * (Path(folder) == ROOT))(folder, names)

    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("tree") / "t", ignore=ignore))


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of a fresh virtual environment, with the build backend and nothing else."""
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", folder / "v", cwd=folder)
    python = folder / "v" / "bin" / "python"
    try:
        pip(python, "install", "scikit-build-core>=0.10", cwd=folder)
    except AssertionError as error:
        absent("pip", f"pip cannot install the build backend: {str(error).splitlines()[-1]}")
    return python


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", source, "--no-deps", "--wheel-dir", folder, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def sdist(python, source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    run(python, "-c", SDIST, folder, cwd=source)
    (sdist,) = folder.glob("*.tar.gz")
    return sdist


def names(wheel):
    """What is in a wheel, without the name of the platform."""
    with zipfile.ZipFile(wheel) as file:
        return sorted(file.namelist())


def test_the_wheel_has_the_package_the_firmware_and_the_boards(wheel):
    inside = set(names(wheel))
    for folder in ("tinydream", "firmware/lib", "firmware/port", "firmware/platform", "boards"):
        place = "" if folder == "tinydream" else "tinydream/"
        for path in (ROOT / folder).rglob("*"):
            ours = folder != "tinydream" or path.suffix not in (".c", ".h", ".so")
            if path.is_file() and ours and "__pycache__" not in path.parts:
                assert place + path.relative_to(ROOT).as_posix() in inside
    assert sum(name.endswith(".so") for name in inside) == 1
    allowed = r"tinydream/|tinydream-[\d.]+\.dist-info/"
    assert not [name for name in inside if not re.match(allowed, name)]
    unwanted = r"__pycache__|\.pio\b|platformio\.ini$|/tests?/|^tinydream/(codec/)?\w+\.[ch]$"
    assert not [name for name in inside if re.search(unwanted, name)]
    assert wheel.stat().st_size < 1_000_000


def test_the_metadata_say_what_is_needed(wheel):
    with zipfile.ZipFile(wheel) as file:
        (name,) = (n for n in file.namelist() if n.endswith(".dist-info/METADATA"))
        text = file.read(name).decode()
    for line in ("License-Expression: MIT", "License-File: LICENSE", "Requires-Python: >=3.11"):
        assert line in text
    assert "License-File: tinydream/demo/LICENSE.digits" in text and "Typing :: Typed" in text
    assert "tinydream/py.typed" in names(wheel)
    assert wheel.name.split("-")[2:4] == ["cp311", "abi3"]


def test_the_sdist_makes_the_same_wheel(sdist, wheel, tmp_path):
    with tarfile.open(sdist) as file:
        inside = {name.split("/", 1)[1] for name in file.getnames() if "/" in name}
    assert {"README.md", "SPEC.md", "LICENSE", "CMakeLists.txt", "tests/conftest.py"} <= inside
    assert not [n for n in inside if re.search(r"^\.(git|venv|ci)\b|^build/|__pycache__|\.so$", n)]
    pip(sys.executable, "wheel", sdist, "--no-deps", "--wheel-dir", tmp_path, cwd=tmp_path)
    (again,) = tmp_path.glob("*.whl")
    assert names(again) == names(wheel)


@pytest.mark.needs("cc")
def test_an_installed_wheel_runs_the_demo_where_no_source_tree_is(python, wheel, tmp_path):
    pip(python, "install", wheel, cwd=tmp_path)
    assert "No broken requirements" in run(python, "-m", "pip", "check", cwd=tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    out = run(python.parent / "tinydream", "demo", "--port", "native", "--seeds", 1, cwd=work)
    assert "device == simulator: yes" in out and (work / "run" / "report.json").is_file()
    where = run(python, "-c", "import tinydream; print(tinydream.__file__)", cwd=work)
    assert str(ROOT) not in where and "site-packages" in where


def test_an_editable_install_runs_too(python, source, tmp_path):
    pip(python, "install", "--editable", source, cwd=tmp_path)
    out = run(python.parent / "tinydream", "demo", "--port", "sim", "--seeds", 1, cwd=tmp_path)
    assert "device == simulator: yes" in out
    where = run(python, "-c", "import tinydream; print(tinydream.__file__)", cwd=tmp_path)
    assert str(source) in where
