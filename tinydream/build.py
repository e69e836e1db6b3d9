"""PlatformIO as a subprocess: a generated project becomes a program, with nothing downloaded."""

import configparser
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tinydream.errors import BuildError

__all__ = ["build", "cache_folder", "core_folder", "run_platformio", "wanted_scons"]

# the compilers that boards name, and what installs them on Debian
DEBIAN = {
    "": "gcc",
    "arm-none-eabi-": "gcc-arm-none-eabi",
    "riscv64-unknown-elf-": "gcc-riscv64-unknown-elf",
}
# PlatformIO starts SCons with the Python it runs in itself, and SCons is installed there
SHIM = "from SCons.Script.Main import main\n\nmain()\n"
OVERFLOW = re.compile(r"region .(\w+). overflowed by (\d+) byte")
OFFLINE = re.compile(
    r"HTTPClientError|InternetConnectionError|ConnectionError|Could not find the package", re.I
)
FAILURE = re.compile(r"\berror:|undefined reference|cannot find -l|multiple definition", re.I)


def build(project: Path, *, on_output: Callable[[str], None] | None = None) -> Path:
    """Compile and link a generated project; returns the program, or the ELF file for a board.

    A project for a framework is built in the user's own PlatformIO folder, where platforms are
    downloaded once; any other one in ours, offline. on_output is given each line of the output;
    PROJECT/.pio/build.log keeps all of it.
    """
    project = Path(project).resolve()
    board, options = _environment(project)
    prefix, downloads = options.get("custom_prefix", ""), "framework" in options
    if not downloads:
        _need_compiler(prefix)
    log = project / ".pio" / "build.log"
    try:
        log.parent.mkdir(exist_ok=True)
        arguments = ("run", "--project-dir", str(project))
        code, lines = run_platformio(arguments, log, on_output or (lambda line: None), downloads)
    except BrokenPipeError:  # whoever listens to on_output has gone
        raise
    except OSError as error:
        place, why = error.filename or log, error.strerror or error
        raise BuildError(f"{place} cannot be written: {why}; make room, then build again") from None
    name = "firmware.elf" if prefix or downloads else "program"
    program = project / ".pio" / "build" / board / name
    if code or not program.is_file():
        raise BuildError(f"{_reason(code, lines)}; the whole output is in {log}")
    return program


def core_folder() -> Path:
    """PlatformIO's own folder, in our cache: never the user's ~/.platformio.

    Made once for each pair of versions, under another name and then renamed, so that builds
    that start together find either none or a whole one.
    """
    platformio, scons = _installed("platformio"), _installed("scons")
    folder = cache_folder() / f"platformio-{platformio}-scons-{scons}"
    if not (folder / "packages" / "tool-scons" / "scons.py").is_file():
        draft = Path(tempfile.mkdtemp(dir=folder.parent))
        _fill(draft, platformio, scons)
        with suppress(OSError):  # another process was first: its folder is as good
            draft.rename(folder)
        shutil.rmtree(draft, ignore_errors=True)
    return folder


# ---- what must be there ----


def _environment(project: Path) -> tuple[str, Mapping[str, str]]:
    """The board's id and its options, as the project's platformio.ini has them."""
    ini = configparser.ConfigParser(interpolation=None)
    try:
        ini.read_string((project / "platformio.ini").read_text(encoding="utf-8"))
        board = ini["platformio"]["default_envs"]
        return board, ini[f"env:{board}"]
    except (OSError, KeyError, configparser.Error):
        raise BuildError(
            f"{project} holds no project that tinydream generated; run `tinydream generate`"
        ) from None


def _need_compiler(prefix: str) -> None:
    compiler = f"{prefix}gcc" if prefix else "cc"
    if not shutil.which(compiler):
        package = DEBIAN.get(prefix)
        how = f"run `apt-get install {package}`" if package else "install it, and put it on PATH"
        raise BuildError(f"the compiler {compiler} is not on PATH; {how}")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        raise BuildError(
            f"{name} is not installed in the Python that runs tinydream ({sys.executable});"
            f" run `pip install {name}` there"
        ) from None


# ---- PlatformIO's folder ----


def cache_folder() -> Path:
    """The first of these folders that can be written: $XDG_CACHE_HOME, ~/.cache, a temporary one.

    The last is for accounts without a home; others can write beside it, so it must be ours.
    """
    home, user = os.environ.get("HOME", ""), getattr(os, "getuid", lambda: "")()
    places = [os.environ.get("XDG_CACHE_HOME", ""), home and os.path.join(home, ".cache")]
    folders = [Path(place, "tinydream") for place in places if os.path.isabs(place)]
    folders.append(Path(tempfile.gettempdir(), f"tinydream-{user}"))
    for folder in folders:
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            ours = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
            if ours and os.access(folder, os.W_OK):
                return folder
    tried = ", ".join(map(str, folders))
    raise BuildError(
        f"no folder can be written for PlatformIO's files (tried {tried});"
        " set XDG_CACHE_HOME to one that can"
    )


def _fill(folder: Path, platformio: str, scons: str) -> None:
    """What PlatformIO would have downloaded: a package that leads to the installed SCons."""
    package = folder / "packages" / "tool-scons"
    package.mkdir(parents=True)
    facts = {"name": "tool-scons", "version": _package_version(platformio, scons)}
    spec = {"owner": "platformio", "id": None, "name": "tool-scons"}
    (package / "package.json").write_text(json.dumps({**facts, "description": "SCons"}))
    spec |= {"requirements": None, "uri": None}
    (package / ".piopm").write_text(json.dumps({**facts, "type": "tool", "spec": spec}))
    (package / ".piokeep").touch()
    (package / "scons.py").write_text(SHIM)
    # without this PlatformIO would greet its new user at length
    (folder / "appstate.json").write_text(json.dumps({"last_version": platformio}))


def wanted_scons() -> str:
    """The version of SCons that the installed PlatformIO asks for; '' when nobody can say."""
    try:
        from platformio.dependencies import get_core_dependencies
    except ImportError:
        return ""
    wanted = re.fullmatch(r"~4\.4(\d\d)(\d\d)\.\d+", get_core_dependencies()["tool-scons"])
    return ".".join(["4", *(str(int(part)) for part in wanted.groups())]) if wanted else ""


def _package_version(platformio: str, scons: str) -> str:
    """SCons 4.11.1 is PlatformIO's package 4.41101.0; refuses another than PlatformIO wants."""
    right = wanted_scons()
    if scons != right:
        how = f"`pip install scons=={right}`" if right else "`pip install 'platformio==6.2.*'`"
        raise BuildError(
            f"PlatformIO {platformio} wants SCons {right or 'another'} and {scons} is installed;"
            f" run {how}"
        )
    major, minor, patch = map(int, scons.split("."))
    return f"{major}.{major}{minor:02}{patch:02}.0"


# ---- the run ----


def _variables(downloads: bool) -> dict[str, str]:
    """The environment of the subprocess: the user's, or ours with none of PlatformIO's settings
    but extra flags."""
    said = {
        "LC_ALL": "C.UTF-8",  # the messages that _reason looks for
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_NO_ANSI": "true",
    }
    if downloads:
        return os.environ | said
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PLATFORMIO_") or name == "PLATFORMIO_BUILD_FLAGS"
    }
    core = str(core_folder())
    said["PLATFORMIO_SETTING_ENABLE_TELEMETRY"] = "no"
    return ours | said | {"HOME": ours.get("HOME") or core, "PLATFORMIO_CORE_DIR": core}


def run_platformio(
    arguments: Sequence[str], log: Path, on_output: Callable[[str], None], downloads: bool = True
) -> tuple[int, list[str]]:
    """PlatformIO's exit code and output; the log keeps the output, on_output gets each line.

    downloads: in the user's own PlatformIO folder, else in ours. Raises OSError when the log
    cannot be written, BuildError when PlatformIO is not installed.
    """
    _installed("platformio")
    command = [sys.executable, "-m", "platformio", *arguments]
    lines = []
    with (
        log.open("w", buffering=1, encoding="utf-8") as file,
        subprocess.Popen(
            command,
            env=_variables(downloads),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # with its compilers, so that they can be ended together
        ) as process,
    ):
        assert process.stdout
        try:
            for line in process.stdout:
                file.write(line)
                lines.append(line.rstrip())
                on_output(lines[-1])
        except BaseException:  # Ctrl-C, or the disk is full
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, lines


def _reason(code: int, lines: list[str]) -> str:
    """What went wrong, from the output: the first cause, not its consequences."""
    over = {match[1]: match[2] for match in map(OVERFLOW.search, lines) if match}
    if over:
        regions = " and ".join(f"{name} is over by {count} bytes" for name, count in over.items())
        return f"the program does not fit: {regions}; try fewer representatives or a smaller batch"
    if any(OFFLINE.search(line) for line in lines):
        return (
            "PlatformIO could not download compilers and framework of this board; build it once"
            " with a connection to the internet"
        )
    for line in lines:
        if FAILURE.search(line):
            return f"the build failed: {line.strip()}"
    said = next((line for line in reversed(lines) if line.strip(" =-*")), "nothing")
    return f"PlatformIO ended with code {code} and last said '{said.strip()}'"
