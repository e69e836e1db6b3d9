"""What this machine has and lacks, each with the command that mends it."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinydream.board import EMULATORS
from tinydream.bridge import port_names
from tinydream.build import cache_folder, wanted_scons
from tinydream.errors import BuildError

__all__ = ["Check", "examine"]

HELLO = "#include <stdint.h>\n#include <unistd.h>\nint main(void) { return 0; }\n"
LOCAL, EMULATED, SERIAL = ("native",), ("qemu",), ("serial",)
RISCV = ("qemu with a RISC-V board",)  # --port qemu can do without
HERE, BUILT = ("sim", "keras"), ("native", "qemu")


@dataclass(frozen=True)
class Check:
    """One thing that a port may need.

    found: what is there, or what is wrong; mend: the command that puts it right, '' when ok;
    needed_for: ports that cannot do without it.
    """

    name: str
    ok: bool
    found: str
    mend: str
    needed_for: tuple[str, ...]


def examine(run: Path = Path("run")) -> list[Check]:
    """Every check, in the order in which one would mend them; run: the folder of a run."""
    return [
        _python(),
        _platformio(),
        _scons(),
        _program("cc", LOCAL, "gcc libc6-dev", _compiles),
        _program("arm-none-eabi-gcc", EMULATED, "gcc-arm-none-eabi"),
        _program("qemu-system-arm", EMULATED, EMULATORS["qemu-system-arm"]),
        _program("riscv64-unknown-elf-gcc", RISCV, "gcc-riscv64-unknown-elf"),
        _program("qemu-system-riscv32", RISCV, EMULATORS["qemu-system-riscv32"]),
        _keras(),
        _cache(),
        _run_folder(run),
        _serial(),
    ]


# ---- Python and its packages ----


def _python() -> Check:
    return Check("Python", True, f"{platform.python_version()}, {sys.executable}", "", BUILT)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _pip(requirement: str) -> str:
    return f"{sys.executable} -m pip install '{requirement}'"


def _platformio() -> Check:
    version = _version("platformio")
    ok = version.startswith("6.2.")
    mend = "" if ok else _pip("platformio==6.2.*")
    return Check("PlatformIO", ok, version or "not installed", mend, BUILT)


def _scons() -> Check:
    version, wanted = _version("scons"), wanted_scons() or "4.11.1"
    ok = version == wanted
    found = version if ok else f"{version or 'not installed'}; PlatformIO wants {wanted}"
    return Check("SCons", ok, found, "" if ok else _pip(f"scons=={wanted}"), BUILT)


def _keras() -> Check:
    """Looked for, not imported: that takes seconds."""
    version, there = _version("keras"), importlib.util.find_spec("tensorflow") is not None
    ok = bool(version) and there
    found = version if ok else f"{'TensorFlow' if version else 'Keras'} is not installed"
    return Check("Keras", ok, found, "" if ok else _pip("tinydream[keras]"), ("keras",))


# ---- programs ----


def _program(
    name: str,
    needed_for: tuple[str, ...],
    packages: str,
    works: Callable[[str], str] = lambda path: "",
) -> Check:
    """A program on PATH; works(path) says what is wrong with it, '' for nothing."""
    path = shutil.which(name)
    wrong = works(path) if path else "not on PATH"
    found = wrong or _first_line(str(path))
    mend = f"apt-get install {packages}" if wrong else ""
    return Check(name, not wrong, found, mend, needed_for)


def _first_line(path: str) -> str:
    said = _run([path, "--version"]).stdout.splitlines()
    return said[0] if said else path


def _compiles(compiler: str) -> str:
    """A compiler without a C library is found, and builds nothing."""
    with tempfile.TemporaryDirectory(prefix="tinydream-") as folder:
        source = Path(folder, "hello.c")
        source.write_text(HELLO)
        done = _run([compiler, str(source), "-o", str(Path(folder, "hello"))])
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    return (errors or ["it compiles nothing"])[0] if done.returncode else ""


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", f"error: {error}")


# ---- folders ----


def _cache() -> Check:
    try:
        return Check("cache", True, str(cache_folder()), "", BUILT)
    except BuildError as error:
        mend = 'export XDG_CACHE_HOME="$(mktemp -d)"'
        return Check("cache", False, str(error).split(";")[0], mend, BUILT)


def _run_folder(run: Path) -> Check:
    """Whether a file can be made in the folder, or in the one that it would be made in."""
    place = run.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(4096))
    except OSError as error:
        why = f"{place} cannot be written: {error.strerror}"
        mend = "tinydream doctor -o a-folder-that-can-be-written"
        return Check("run folder", False, why, mend, (*HERE, *BUILT, *SERIAL))
    return Check("run folder", True, str(run.absolute()), "", (*HERE, *BUILT, *SERIAL))


# ---- serial ports ----


def _serial() -> Check:
    ports = port_names()
    closed = [port for port in ports if not os.access(port, os.R_OK | os.W_OK)]
    if closed:
        found = f"{', '.join(closed)} may not be used by this user"
        return Check("serial ports", False, found, _join(_group_of(closed[0])), SERIAL)
    if not ports and not _may_use_ports():
        found = "none here, and this user may not use those that come"
        return Check("serial ports", False, found, _join("dialout"), SERIAL)
    return Check("serial ports", True, ", ".join(ports) or "none here", "", SERIAL)


def _join(group: str) -> str:
    return f'sudo usermod -aG {group} "$USER", then log in again'


def _group_of(port: str) -> str:
    try:
        return Path(port).group()
    except (KeyError, OSError, NotImplementedError):
        return "dialout"


def _may_use_ports() -> bool:
    """On Linux serial ports belong to a group, dialout on Debian; elsewhere anyone may use them."""
    if not sys.platform.startswith("linux") or os.getuid() == 0:
        return True
    import grp

    ours = {*os.getgroups(), os.getgid()}
    return any(each.gr_name == "dialout" and each.gr_gid in ours for each in grp.getgrall())
