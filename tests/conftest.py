"""What every test may use: tools that must be there, and the folder of data sets."""

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["verbs"]

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = {
    "cc": ["cc"],
    "cxx": ["gcc", "g++"],
    "cmake": ["cc", "cmake"],
    "chromium": ["chromium"],
    "arm": ["arm-none-eabi-gcc"],
    "qemu": ["arm-none-eabi-gcc", "qemu-system-arm"],
    "xtensa": [
        *("clang-22", "llc-22", "llvm-mc-22"),
        *("xtensa-lx106-elf-ld", "qemu-system-xtensa"),
    ],
    "riscv": ["riscv64-unknown-elf-gcc", "qemu-system-riscv32"],
}
# pip install 'tinydream[keras]', and atheris comes with [dev] where there is one
LITE = ROOT / ".venv-tflite/bin/python"  # scripts/setup tflite
MODULES = {"keras": ["keras", "tensorflow", "ai_edge_litert"], "atheris": ["atheris"]}


def absent(name: str, why: str) -> None:
    """Skip with the reason; fail when TINYDREAM_REQUIRE (data,qemu,keras,...) names it."""
    if name in os.environ.get("TINYDREAM_REQUIRE", "").split(","):
        pytest.fail(f"{why}, and TINYDREAM_REQUIRE names '{name}'", pytrace=False)
    pytest.skip(why)


def need(name: str) -> None:
    """The tool `name` is there, or the test ends here."""
    programs = [each for each in PROGRAMS.get(name, []) if not shutil.which(each)]
    if programs:
        absent(name, f"{' and '.join(programs)} not on PATH")
    if name == "tflite" and not LITE.exists():
        absent(name, "there is no .venv-tflite (scripts/setup tflite)")
    modules = [each for each in MODULES.get(name, []) if not importlib.util.find_spec(each)]
    if modules:
        absent(name, f"{' and '.join(modules)} not installed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        need(mark.args[0])


@pytest.fixture
def require() -> Callable[[str], None]:
    """For a test that learns only while it runs what it needs: require("qemu")."""
    return need


@pytest.fixture(scope="session")
def keras() -> Any:
    """Keras, without its noise; for tests that need it."""
    from tinydream.network.quiet import import_keras

    return import_keras()


@pytest.fixture(scope="session")
def lite_python() -> Path:
    """The Python of an environment with tflite-runtime and no TensorFlow."""
    return LITE


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of data sets: $TINYDREAM_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get("TINYDREAM_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        absent("data", f"the data sets are not in {folder}")
    return folder


# ---- verbs ----
