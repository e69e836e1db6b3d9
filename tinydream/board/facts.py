"""What a board file says, as records."""

from dataclasses import dataclass, field

from tinydream.errors import BoardError

__all__ = [
    "Board",
    "Devices",
    "Emulator",
    "Fact",
    "PlatformIO",
    "Power",
    "Region",
    "Storage",
    "Usb",
]

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
class PlatformIO:
    """Which of PlatformIO's own platforms builds and uploads for a board, pinned to a version.

    board: its name there; build_unflags: flags of the framework that are taken away; options:
    further lines of the environment, 'key = value'.
    """

    platform: str
    board: str
    framework: str
    build_flags: tuple[str, ...]
    build_unflags: tuple[str, ...]
    lib_ignore: tuple[str, ...]
    options: tuple[str, ...]


@dataclass(frozen=True)
class Usb:
    """A name under which the board is seen on USB. boot: it is then in its boot loader."""

    vid: int
    pid: int
    boot: bool
    note: str


@dataclass(frozen=True)
class Power:
    """What the chip draws while it computes, and asleep (None: nobody looked), at which voltage."""

    millivolts: int
    active_microamps: int
    sleep_microamps: int | None


@dataclass(frozen=True)
class Storage:
    """Flash that keeps learnt weights: no program lies there.

    start: as the flash is addressed in the board's regions; write_bytes: the least that is
    written at once; erase_bytes: one sector; endurance: how often a sector may be erased; driver:
    of firmware/port/baremetal, '' where the port knows only one.
    """

    start: int
    bytes: int
    write_bytes: int
    erase_bytes: int
    endurance: int
    driver: str

    @property
    def defines(self) -> tuple[str, ...]:
        """The same as macros, for the ports."""
        driver = (f"TD_STORAGE_{self.driver.upper()}",) if self.driver else ()
        return (
            *driver,
            f"TD_STORAGE_START=0x{self.start:08x}",
            f"TD_STORAGE_BYTES={self.bytes}",
            f"TD_STORAGE_ERASE={self.erase_bytes}",
            f"TD_STORAGE_WRITE={self.write_bytes}",
        )


@dataclass(frozen=True)
class Board:
    """What a plan, a build and a run must know about a board.

    fpu: 'none', 'single' or 'double'; dsp: the core has Arm's DSP instructions;
    clock_hz: None when nobody can say (a host); stack_bytes: of the stack that training runs on;
    baud: None where the line has no rate; prefix: what stands before `gcc` in the compiler's
    name, '' for the host's own; link_flags: those that choose the compiler's own library, where
    cpu_flags choose a wrong one; qemu: None for a board that is not emulated; devices: None
    where an operating system or a framework has them; platformio: None where our own platform
    builds; power, storage: None where the file tells nothing; text: the file, as it is.
    """

    id: str
    name: str
    mcu: str
    core: str
    fpu: str
    dsp: bool
    port: str
    clock_hz: int | None
    pointer_bytes: int
    stack_bytes: int
    baud: int | None
    prefix: str
    cpu_flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    qemu: Emulator | None
    devices: Devices | None
    platformio: PlatformIO | None
    power: Power | None
    storage: Storage | None
    usb: tuple[Usb, ...]
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

    @property
    def unverified(self) -> tuple[str, ...]:
        """The fields whose numbers nobody has read where their source says."""
        return tuple(fact.field for fact in self.facts if fact.unverified)

    def mark(self, *fields: str) -> str:
        """What a table puts behind a number of these fields: '?' where one is unverified."""
        return "?" if set(fields) & set(self.unverified) else ""

    def mark_usable(self, region: str) -> str:
        """The same behind a region's usable bytes."""
        return self.mark(f"region {region}, bytes", f"region {region}, reserved")
