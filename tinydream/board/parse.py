"""A board file becomes a Board, or the sentence that says which key is wrong."""

from tinydream.board.facts import (
    MHZ,
    Board,
    Devices,
    Emulator,
    PlatformIO,
    Power,
    Region,
    Storage,
    Usb,
)
from tinydream.board.reader import Form, Reader

__all__ = ["EMULATORS", "board_from"]

FPUS = ("none", "single", "double")
PORTS = ("native", "baremetal", "arduino")
LINES = ("stm32", "nrf51", "cmsdk", "16550")  # firmware/port/baremetal/line_*.h
STORES = ("nvmc", "cfi", "memory")  # firmware/port/baremetal/store_*.h
REGIONS = ("flash", "ram")
# A board file may have been written by anyone: these are what it can have started, beside
# Debian's package of it, and what it can tell them. PlatformIO runs what `!` begins, and
# compilers have flags that load programs: hence the patterns.
EMULATORS = {"qemu-system-arm": "qemu-system-arm", "qemu-system-riscv32": "qemu-system-misc"}
QEMU_OPTIONS = ("-bios", "-cpu")
PLATFORM = Form(
    r"(espressif32|ststm32|nordicnrf52|raspberrypi|teensy)@\d+\.\d+\.\d+", "ststm32@19.4.0"
)
WORD = Form(r"[A-Za-z0-9][\w .+-]*", "nucleo_f446re")
CPU_FLAG = Form(r"-m[\w.=+-]+", "-mcpu=cortex-m4")
BUILD_FLAG = Form(r"-(D|U|O|m|f(?!plugin)|std=)[\w.=+-]+", "-DNAME=1")
OPTION = Form(
    r"(board_build\.(partitions|filesystem_size|flash_size|flash_mode|core|mcu|f_cpu)"
    r"|upload_protocol|upload_speed|monitor_dtr|monitor_rts) = [\w.+-]+",
    "upload_protocol = stlink",
)


def board_from(read: Reader, text: str, name: str) -> Board:
    """The board of a file with this text; its id must be `name`. BoardError says what is wrong."""
    port = read.choice("port", PORTS)
    build, qemu = read.table("build"), read.table("qemu", optional=True)
    devices = read.table("devices", optional=port != "baremetal")
    platformio = read.table("platformio", optional=port != "arduino")
    power, storage = read.table("power", optional=True), read.table("storage", optional=True)
    cpu_flags = build.texts("cpu_flags", CPU_FLAG)
    board = Board(
        id=read.text("id"),
        name=read.text("name"),
        mcu=read.text("mcu"),
        core=read.text("core"),
        fpu=read.choice("fpu", FPUS),
        dsp=read.flag("dsp"),
        port=port,
        clock_hz=read.number("clock_hz") if read.has("clock_hz") else None,
        pointer_bytes=read.number("pointer_bytes"),
        stack_bytes=read.number("stack_bytes"),
        baud=read.number("baud") if port == "arduino" or read.has("baud") else None,
        prefix=build.text("prefix"),
        cpu_flags=cpu_flags,
        link_flags=build.texts("link_flags", CPU_FLAG) if build.has("link_flags") else cpu_flags,
        qemu=_emulator(qemu) if qemu else None,
        devices=_devices(devices) if devices else None,
        platformio=_platformio(platformio) if platformio else None,
        power=_power(power) if power else None,
        storage=_storage(storage) if storage else None,
        usb=tuple(_usb(each) for each in read.tables("usb")) if read.has("usb") else (),
        regions=tuple(_region(each) for each in read.tables("region")),
        facts=tuple(read.facts),
        text=text,
    )
    for table in (read, build, qemu, devices, platformio, power, storage):
        table.end()
    if board.id != name:
        raise read.wrong(f"its id is '{board.id}'; the id is the file's name, '{name}'")
    _agree(board, read)
    return board


def _agree(board: Board, read: Reader) -> None:
    """What is right for each key alone must be possible together."""
    if sorted(region.name for region in board.regions) != sorted(REGIONS):
        names = ", ".join(region.name for region in board.regions) or "none"
        raise read.wrong(f"its regions are {names}; it needs flash and ram, each once")
    if board.pointer_bytes not in (4, 8):
        raise read.wrong(f"pointer_bytes is {board.pointer_bytes}; it is 4 or 8")
    if board.baud == 0:
        raise read.wrong("baud is 0; it is bits a second, as 115200")
    if board.fpu == "none" and {"-mfloat-abi=hard", "-mabi=ilp32f"} & set(board.cpu_flags):
        raise read.wrong("fpu is 'none' but cpu_flags use an FPU; change one of them")
    flash, ram = board.region("flash"), board.region("ram")
    if board.stack_bytes > ram.usable:
        raise read.wrong(
            f"stack_bytes is {board.stack_bytes} and ram has {ram.usable} usable bytes; lower it"
        )
    if board.port != "native" and _overlap(flash, ram):
        raise read.wrong("regions flash and ram overlap; change the start or bytes of one")
    if board.storage and _overlap(ram, board.storage):
        raise read.wrong("storage lies in ram; change its start")
    if board.storage and _overlap(flash, board.storage) and flash.reserved < board.storage.bytes:
        raise read.wrong(
            f"storage lies in region flash, of which only {flash.reserved} bytes are reserved;"
            " reserve its bytes there, too"
        )


def _overlap(a: Region, b: Region | Storage) -> bool:
    return a.start < b.start + b.bytes and b.start < a.start + a.bytes


def _emulator(read: Reader) -> Emulator:
    options = read.texts("options") if read.has("options") else ()
    for option in options[::2]:
        if option not in QEMU_OPTIONS or len(options) % 2:
            raise read.wrong(
                f"options are {' '.join(options)!r}; they are pairs of"
                f" {' or '.join(QEMU_OPTIONS)} and a value, as -cpu rv32"
            )
    program = read.choice("program", tuple(EMULATORS)) if read.has("program") else "qemu-system-arm"
    return Emulator(program, read.text("machine"), options)


def _devices(read: Reader) -> Devices:
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


def _platformio(read: Reader) -> PlatformIO:
    def some(key: str, form: Form) -> tuple[str, ...]:
        return read.texts(key, form) if read.has(key) else ()

    return PlatformIO(
        read.text("platform", PLATFORM),
        read.text("board", WORD),
        read.choice("framework", ("arduino",)),
        some("build_flags", BUILD_FLAG),
        some("build_unflags", BUILD_FLAG),
        some("lib_ignore", WORD),
        some("options", OPTION),
    )


def _power(read: Reader) -> Power:
    sleep = read.number("sleep_microamps") if read.has("sleep_microamps") else None
    return Power(read.number("millivolts"), read.number("active_microamps"), sleep)


def _storage(read: Reader) -> Storage:
    storage = Storage(
        read.number("start"),
        read.number("bytes"),
        read.number("write_bytes"),
        read.number("erase_bytes"),
        read.number("endurance"),
        read.choice("driver", STORES) if read.has("driver") else "",
    )
    for key in ("bytes", "write_bytes", "erase_bytes", "endurance"):
        if getattr(storage, key) == 0:
            raise read.wrong(f"'{key}' is 0; it is 1 or more")
    if storage.erase_bytes % storage.write_bytes:
        raise read.wrong("write_bytes does not divide erase_bytes; change one of them")
    if storage.start % storage.erase_bytes or storage.bytes % storage.erase_bytes:
        raise read.wrong("start and bytes are not whole sectors of erase_bytes; change them")
    if storage.write_bytes not in (1, 2, 4, 8, 16, 32) or storage.erase_bytes % 64:
        raise read.wrong(
            "write_bytes is not 1, 2, 4, 8, 16 or 32, or 64 does not divide erase_bytes"
        )
    return storage


def _usb(read: Reader) -> Usb:
    usb = Usb(read.number("vid"), read.number("pid"), read.flag("boot"), read.text("note"))
    read.end()
    if max(usb.vid, usb.pid) > 0xFFFF:
        raise read.wrong("vid and pid have 16 bits, as 0x2341; change the larger one")
    return usb


def _region(read: Reader) -> Region:
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
