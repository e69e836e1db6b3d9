"""Printing a plan: data only, no algorithm, no time, no path; the same plan, the same text."""

import shutil
from pathlib import Path

from tinydream.board import Board, load_board
from tinydream.budget import kernels, node_bytes, plan_struct_bytes
from tinydream.codegen.tables import tables
from tinydream.codegen.text import environment
from tinydream.errors import RunError
from tinydream.plan import FORMAT, Plan
from tinydream.resources import firmware_folder

__all__ = ["generate", "write_project"]

COMMAND = "tinydream generate"
# of port/baremetal: what knows no line
START = ("link.ld", "stack.h", "startup.c", "startup_riscv.c")
OURS = ("src", "lib", "platform", "monitor")  # folders of a project, written whole


def generate(plan: Plan, board: Board | None = None, **switches: int) -> dict[str, str]:
    """The files that turn the core into this plan's firmware: text by path in the project.

    switches: more of td_config.h: TD_BOOT, what becomes of saved weights when the device starts, a
    place in `saving.BOOTS`; TD_SELF_TEST, what it must then compute, `Simulator.first_steps`.
    Raises BoardError when no board is given and the plan's is unknown.
    """
    board = board or load_board(plan.board)
    facts = {
        "plan": plan,
        "board": board,
        "command": COMMAND,
        "format": FORMAT,
        "digest": plan.digest.hex(),
        "digest_bytes": ", ".join(f"0x{byte:02x}" for byte in plan.digest),
        "tables": tables(plan, board.pointer_bytes),
        "struct_bytes": plan_struct_bytes(board.pointer_bytes),
        "node_bytes": sum(node_bytes(board.pointer_bytes).values()),
        "kernels": kernels(plan, board) | switches,
    }
    places = {"src/td_plan.h": "td_plan.h.j2", "src/td_plan.c": "td_plan.c.j2"}
    places["platformio.ini"] = "platformio.ini.j2"
    return {place: environment().get_template(name).render(facts) for place, name in places.items()}


def write_project(
    plan: Plan,
    folder: Path,
    board: Board | None = None,
    port: Path | None = None,
    **switches: int,
) -> None:
    """Write a complete PlatformIO project, which may be taken away and built anywhere.

    port: a folder with a port of the user's own; on bare metal ours gives it start-up code and
    linker script, unless it has its own. Files whose text is as it was are left untouched, so
    that a build only does what is new. Raises RunError when the folder holds something that is
    not such a project, or `port` no C.
    """
    board = board or load_board(plan.board)
    if port and not any(port.glob("*.c*")):
        raise RunError(f"{port} is no folder with a port in C; begin with a copy of port/template")
    if folder.exists() and any(folder.iterdir()) and not (folder / "platformio.ini").exists():
        raise RunError(
            f"{folder} holds files that are not a firmware project; choose another folder"
        )
    texts = {
        Path(place): text.encode() for place, text in generate(plan, board, **switches).items()
    }
    source = firmware_folder()
    for name in ("lib/tinydream", "monitor"):
        texts |= _copied(source / name, name)
    texts |= _port(source / "port" / board.port, port)
    if not board.platformio:
        texts |= _copied(source / "platform", "platform")
    texts[Path("src/main.c")] = (source / "port/main.c").read_bytes()
    _write(folder, texts)


def _copied(origin: Path, place: str) -> dict[Path, bytes]:
    files = [(file, file.relative_to(origin)) for file in sorted(origin.rglob("*"))]
    return {
        Path(place) / name: file.read_bytes()
        for file, name in files
        if file.is_file() and not {"__pycache__", "examples", ".git"} & set(name.parts)
    }


def _port(ours: Path, theirs: Path | None) -> dict[Path, bytes]:
    files = _copied(ours, "src")
    if theirs is None:
        return files
    start = {place: data for place, data in files.items() if place.name in START}
    return start | _copied(theirs, "src")


def _write(folder: Path, texts: dict[Path, bytes]) -> None:
    for name in OURS:  # what another plan or board left behind
        for old in sorted((folder / name).rglob("*")):
            if old.is_file() and old.relative_to(folder) not in texts:
                old.unlink()
    for place, data in texts.items():
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_bytes() != data:
            file.write_bytes(data)
    for name in OURS:
        for empty in sorted((folder / name).rglob("*"), reverse=True):
            if empty.is_dir() and not any(empty.iterdir()):
                shutil.rmtree(empty)
