"""Facts about a board, each with its source, from one TOML file a board."""

import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinydream.errors import BoardError
from tinydream.resources import boards_folder

__all__ = [
    "EMULATORS",
    "Board",
    "Devices",
    "Emulator",
    "Fact",
    "Region",
    "list_boards",
    "load_board",
    "parse_board",
]

FPUS = ("none", "single", "double")
PORTS = ("native", "baremetal")
LINES = ("stm32", "nrf51", "cmsdk", "16550")  # firmware/port/baremetal/line_*.h
REGIONS = ("flash", "ram")
# what a board file, which anyone may have written, can have started, beside Debian's package of
# it; and what it can be told
EMULATORS = {"qemu-system-arm": "qemu-system-arm", "qemu-system-riscv32": "qemu-system-misc"}
OPTIONS = ("-bios", "-cpu")
MHZ = 1_000_000


@dataclass(frozen=True)
class Fact:
    """Where a number comes from: 'document, page', a source file, or 'chosen: why'.

    unverified: the source is named from memory; nobody has read it yet.
    """

    field: str
    source: str
    unverified: bool


@dataclass(frozen=True)
class Region:
    """One piece of the board's memory. reserved: bytes of it that are not ours; note: its use."""

    name: str
    start: int
    bytes: int
    reserved: int
    note: str

    @property
    def usable(self) -> int:
        """Bytes that firmware and plan may fill."""
        return self.bytes - self.reserved


@dataclass(frozen=True)
class Emulator:
    """The program that emulates a board, what that calls it, and what else it must be told."""

    program: str
    machine: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Devices:
    """The serial line and the tick counter of a bare board: kind of line, addresses, interrupt.

    counter_start, counter_hz: None where the core itself counts instructions.
    """

    line: str
    line_start: int
    line_irq: int
    counter_start: int | None
    counter_hz: int | None

    @property
    def defines(self) -> tuple[str, ...]:
        """The same as macros, for firmware/port/baremetal."""
        line = (f"TD_LINE_START=0x{self.line_start:08x}", f"TD_LINE_IRQ={self.line_irq}")
        if self.counter_start is None or self.counter_hz is None:
            return (f"TD_LINE_{self.line.upper()}", *line)
        counter = (
            f"TD_COUNTER_START=0x{self.counter_start:08x}",
            f"TD_COUNTER_MHZ={self.counter_hz // MHZ}",
        )
        return (f"TD_LINE_{self.line.upper()}", *line, *counter)


@dataclass(frozen=True)
class Board:
    """What a plan, a build and a run must know about a board.

    fpu: 'none', 'single' or 'double'; clock_hz: None when nobody can say (a host);
    prefix: what stands before `gcc` in the compiler's name, '' for the host's own;
    link_flags: those that choose the compiler's own library, where cpu_flags choose a wrong one;
    qemu: None for a board that is not emulated; devices: None where an operating system has them;
    text: the file it was read from, as it is.
    """

    id: str
    name: str
    mcu: str
    core: str
    fpu: str
    port: str
    clock_hz: int | None
    pointer_bytes: int
    stack_bytes: int
    prefix: str
    cpu_flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    qemu: Emulator | None
    devices: Devices | None
    regions: tuple[Region, ...]
    facts: tuple[Fact, ...]
    text: str = field(repr=False, compare=False)

    def region(self, name: str) -> Region:
        """The region of that name; every board has 'flash' and 'ram', BoardError for another."""
        for region in self.regions:
            if region.name == name:
                return region
        known = ", ".join(region.name for region in self.regions)
        raise BoardError(f"board '{self.id}' has no region '{name}'; it has {known}")


def list_boards() -> tuple[str, ...]:
    """Ids of the boards that ship with tinydream, sorted."""
    return tuple(sorted(path.stem for path in boards_folder().glob("*.toml")))


def load_board(board: str | Path) -> Board:
    """A board by its id, or from a TOML file of your own; BoardError says what is wrong with it.

    An id that does not ship with tinydream is looked for as ID.toml and boards/ID.toml in the
    present folder.
    """
    if isinstance(board, Path) or board.endswith(".toml"):
        return _read(Path(board))
    if board in list_boards():
        return _read(boards_folder() / f"{board}.toml")
    for own in (Path(f"{board}.toml"), Path("boards", f"{board}.toml")):
        if own.name == f"{board}.toml" and own.is_file():
            return _read(own)
    near = difflib.get_close_matches(board, list_boards(), n=3)
    guess = f"did you mean {' or '.join(near)}?" if near else "see `tinydream boards`"
    raise BoardError(f"board '{board}' is unknown; {guess}")


def parse_board(text: str, path: Path) -> Board:
    """A board from the text of its file; its id must be the file's name."""
    try:
        read = _Reader(path, "", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BoardError(f"board file {path} is not TOML: {error}; mend that line") from None
    return _board(text, path.stem, read)


def _read(path: Path) -> Board:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BoardError(f"board file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BoardError(f"board file {path} is not TOML: {error}; mend that line") from None
    return parse_board(text, path)


def _board(text: str, name: str, read: "_Reader") -> Board:
    build, qemu = read.table("build"), read.table("qemu", optional=True)
    port = read.choice("port", PORTS)
    devices = read.table("devices", optional=port == "native")
    cpu_flags = build.texts("cpu_flags")
    board = Board(
        id=read.text("id"),
        name=read.text("name"),
        mcu=read.text("mcu"),
        core=read.text("core"),
        fpu=read.choice("fpu", FPUS),
        port=port,
        clock_hz=read.number("clock_hz") if read.has("clock_hz") else None,
        pointer_bytes=read.number("pointer_bytes"),
        stack_bytes=read.number("stack_bytes"),
        prefix=build.text("prefix"),
        cpu_flags=cpu_flags,
        link_flags=build.texts("link_flags") if build.has("link_flags") else cpu_flags,
        qemu=_emulator(qemu) if qemu else None,
        devices=_devices(devices) if devices else None,
        regions=tuple(_region(each) for each in read.tables("region")),
        facts=tuple(read.facts),
        text=text,
    )
    for table in (read, build, qemu, devices):
        table.end()
    if board.id != name:
        raise read.wrong(f"its id is '{board.id}'; the id is the file's name, '{name}'")
    if sorted(region.name for region in board.regions) != sorted(REGIONS):
        names = ", ".join(region.name for region in board.regions) or "none"
        raise read.wrong(f"its regions are {names}; it needs flash and ram, each once")
    return board


def _emulator(read: "_Reader") -> Emulator:
    options = read.texts("options") if read.has("options") else ()
    for option in options[::2]:
        if option not in OPTIONS or len(options) % 2:
            raise read.wrong(
                f"options are {' '.join(options)!r}; they are pairs of {' or '.join(OPTIONS)} and a"
                " value, as -cpu rv32"
            )
    program = read.choice("program", tuple(EMULATORS)) if read.has("program") else "qemu-system-arm"
    return Emulator(program, read.text("machine"), options)


def _devices(read: "_Reader") -> Devices:
    counts = read.has("counter_start") or read.has("counter_hz")
    devices = Devices(
        read.choice("line", LINES),
        read.number("line_start"),
        read.number("line_irq"),
        read.number("counter_start") if counts else None,
        read.number("counter_hz") if counts else None,
    )
    if devices.counter_hz is not None and (
        devices.counter_hz < MHZ or 2000 * MHZ % devices.counter_hz
    ):
        raise read.wrong(
            f"counter_hz is {devices.counter_hz}; half a nanosecond must go into one of its ticks,"
            " as with 16000000, 25000000 or 1000000000"
        )
    return devices


def _region(read: "_Reader") -> Region:
    region = Region(
        read.text("name"),
        read.number("start"),
        read.number("bytes"),
        read.number("reserved"),
        read.text("note"),
    )
    read.end()
    if region.reserved > region.bytes:
        raise read.wrong(f"{region.reserved} bytes are reserved of {region.bytes}; lower one")
    return region


class _Reader:
    """Takes known keys out of one table, checks their types, and refuses what is left over."""

    def __init__(self, path: Path, where: str, table: dict[str, Any]) -> None:
        self.facts: list[Fact] = []
        self._path, self._where, self._left = path, where, dict(table)
        self._known: set[str] = set()

    def wrong(self, why: str) -> BoardError:
        where = f", {self._where}" if self._where else ""
        return BoardError(f"board file {self._path}{where}: {why}")

    def has(self, key: str) -> bool:
        self._known.add(key)
        return key in self._left

    def _take(self, key: str, kind: type, what: str) -> Any:
        if not self.has(key):
            raise self.wrong(f"key '{key}' is missing; add {what}")
        value = self._left.pop(key)
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise self.wrong(f"'{key}' must be {what}, not {value!r}")
        return value

    def text(self, key: str) -> str:
        return str(self._take(key, str, "a text"))

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._take(key, list, "a list of texts")
        if not all(isinstance(value, str) for value in values):
            raise self.wrong(f"'{key}' must be a list of texts, not {values!r}")
        return tuple(values)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in choices:
            raise self.wrong(f"'{key}' must be one of {', '.join(choices)}, not '{value}'")
        return value

    def number(self, key: str) -> int:
        form = "{ value = a number, source = where it stands }"
        fact = _Reader(self._path, self._at(key), self._take(key, dict, form))
        value = int(fact._take("value", int, "a whole number"))
        source = fact.text("source")
        flag = fact.has("unverified") and fact._take("unverified", bool, "true or false")
        fact.end()
        if value < 0:
            raise fact.wrong(f"'value' must be 0 or more, not {value}")
        self.facts.append(Fact(self._at(key), source, bool(flag)))
        return value

    def table(self, key: str, optional: bool = False) -> "_Reader":
        table = {} if optional and not self.has(key) else self._take(key, dict, f"a table [{key}]")
        reader = _Reader(self._path, self._at(key), table)
        reader.facts = self.facts  # one list for the whole file
        return reader

    def tables(self, key: str) -> list["_Reader"]:
        form = f"tables [[{key}]]"
        tables = self._take(key, list, form)
        if not all(isinstance(table, dict) for table in tables):
            raise self.wrong(f"'{key}' must be {form}, not {tables!r}")
        readers = [
            _Reader(self._path, f"{key} {table.get('name', i)}", table)
            for i, table in enumerate(tables, 1)
        ]
        for reader in readers:
            reader.facts = self.facts
        return readers

    def end(self) -> None:
        for key in self._left:
            near = difflib.get_close_matches(key, sorted(self._known), n=1)
            hint = f"did you mean '{near[0]}'?" if near else "remove it"
            raise self.wrong(f"key '{key}' is unknown; {hint}")

    def _at(self, key: str) -> str:
        return f"{self._where}, {key}" if self._where else key

    def __bool__(self) -> bool:
        return bool(self._left)
