"""Boards: what ships is complete, and a damaged file is refused with the key that is wrong."""

import dataclasses
import shutil

import pytest

from tinydream import resources
from tinydream.board import Board, list_boards, load_board
from tinydream.errors import BoardError, TinydreamError
from tinydream.resources import boards_folder, firmware_folder


@pytest.fixture
def damaged(tmp_path):
    """The QEMU board's file with one text in it replaced by another."""

    def damage(old: str, new: str):
        text = (boards_folder() / "qemu_netduinoplus2.toml").read_text(encoding="utf-8")
        text = text.replace(
            'machine = "', 'program = "qemu-system-arm"\noptions = []\nmachine = "', 1
        )
        assert old in text
        path = tmp_path / "qemu_netduinoplus2.toml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return path

    return damage


def test_the_boards_that_ship_are_listed():
    real = "bluepill_f103c8 esp32-c3-devkitm-1 esp32-s3-devkitc-1 esp32dev nano33ble"
    real += " nucleo_f446re nucleo_h743zi nucleo_l476rg pico teensy41"
    machines = "microbit mps2_an500 mps2_an505 netduino2 netduinoplus2 rv32imafc rv32imc"
    emulated = [f"qemu_{machine}" for machine in machines.split()]
    assert list_boards() == tuple(sorted(["native", *real.split(), *emulated]))


@pytest.mark.parametrize("board_id", list_boards())
def test_each_board_that_ships_loads_and_names_a_source_for_each_number(board_id):
    board = load_board(board_id)
    assert isinstance(board, Board) and board.id == board_id
    assert all(fact.source for fact in board.facts)
    fields = {fact.field for fact in board.facts}
    assert len(fields) == len(board.facts) == numbers_in(dataclasses.asdict(board))


def numbers_in(value) -> int:
    """How many numbers a record holds, at any depth; True and False are none."""
    if isinstance(value, dict | tuple):
        return sum(map(numbers_in, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and not isinstance(value, bool)


@pytest.mark.parametrize("board_id", list_boards())
def test_each_board_that_ships_has_a_port_and_a_line_in_the_list(board_id):
    board = load_board(board_id)
    assert (firmware_folder() / "port" / board.port).is_dir()
    text = (boards_folder() / "README.md").read_text(encoding="utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| `{board_id}` |")]
    assert ("compiled, never run" in row) == (board.port == "arduino")


@pytest.mark.parametrize("board_id", [b for b in list_boards() if load_board(b).storage])
def test_storage_is_such_as_a_record_of_weights_can_be_kept_in(board_id):
    storage = load_board(board_id).storage
    assert storage.write_bytes in (1, 2, 4, 8, 16, 32) and storage.erase_bytes % 64 == 0
    assert storage.bytes >= 2 * storage.erase_bytes


def test_the_emulated_board_is_the_machine_that_qemu_has():
    board = load_board("qemu_netduinoplus2")
    ram, flash = board.region("ram"), board.region("flash")
    assert (flash.start, flash.usable) == (0x08000000, 1 << 20)
    assert (ram.start, ram.usable) == (0x20000000, 128 << 10)
    assert (board.qemu.machine, board.prefix) == ("netduinoplus2", "arm-none-eabi-")


def test_a_board_of_ones_own_is_loaded_by_its_path(tmp_path):
    path = shutil.copy(boards_folder() / "native.toml", tmp_path / "native.toml")
    assert load_board(path) == load_board(str(path)) == load_board("native")


@pytest.mark.parametrize("folder", ["", "boards"])
def test_a_board_of_ones_own_is_found_by_its_id(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / folder).mkdir(exist_ok=True)
    text = (boards_folder() / "qemu_microbit.toml").read_text()
    own = text.replace('id = "qemu_microbit"', 'id = "mine"')
    (tmp_path / folder / "mine.toml").write_text(own)
    board = load_board("mine")
    assert (board.id, board.qemu, board.text) == ("mine", load_board("qemu_microbit").qemu, own)
    with pytest.raises(BoardError, match="'../mine' is unknown"):
        load_board("../mine")


def test_a_board_that_ships_is_not_hidden_by_a_file_of_the_same_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "native.toml").write_text("no board")
    assert load_board("native").port == "native"


def test_reserved_bytes_are_not_usable(damaged):
    path = damaged("reserved = { value = 0,", "reserved = { value = 16_384,")
    assert load_board(path).region("flash").usable == (1 << 20) - 16384


def test_a_number_from_memory_is_marked_so(damaged):
    facts = {fact.field: fact for fact in load_board("qemu_netduinoplus2").facts}
    assert facts["stack_bytes"].unverified and not facts["region ram, bytes"].unverified


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "qemu_netduinoplus",
            "board 'qemu_netduinoplus' is unknown; did you mean qemu_netduinoplus2",
        ),
        ("arduino", "board 'arduino' is unknown; see `tinydream boards`"),
        ("no/such.toml", "board file no/such.toml cannot be read: No such file"),
    ],
)
def test_an_unknown_board_is_refused_with_what_is_near(name, why):
    with pytest.raises(BoardError, match=why):
        load_board(name)


def test_an_unknown_region_is_refused():
    with pytest.raises(BoardError, match="'native' has no region 'psram'; it has flash, ram"):
        load_board("native").region("psram")


SOURCE = ', source = "QEMU hw/arm/netduinoplus2.c, SYSCLK_FRQ"'


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('mcu = "', "mcu = ", r"is not TOML: .*line 4.*; mend that line"),
        ('id = "qemu_', 'id = "', "its id is 'netduinoplus2'; the id is the file's name"),
        ('mcu = "STM32F405"\n', "", "key 'mcu' is missing; add a text"),
        ('mcu = "STM32F405"', "mcu = 405", "'mcu' must be a text, not 405"),
        ('fpu = "single"', 'fpu = "half"', "'fpu' must be one of none, single, double, not 'half'"),
        ('port = "bare', 'port = "bear', "'port' must be one of native, baremetal, arduino, not"),
        ("[build]", "[built]", r"key 'build' is missing; add a table \[build\]"),
        ('["-mcpu=cortex-m4"', '[4, "-mcpu=cortex-m4"', "build: 'cpu_flags' must be a list of t"),
        ('machine = "', 'machines = "', "qemu: key 'machine' is missing; add a text"),
        ("options = ", "option = ", "qemu: key 'option' is unknown; did you mean 'options'"),
        ('program = "', 'program = 1 #"', "qemu: 'program' must be a text, not 1"),
        ('program = "', 'program = "/tmp/', "qemu: 'program' must be one of qemu-system-arm, q"),
        ("options = []", 'options = ["-S", "x"]', "options are '-S x'; they are pairs of -bios"),
        ("options = []", 'options = ["-cpu"]', "options are '-cpu'; they are pairs of -bios or"),
        ("[devices]", "[device]", r"key 'devices' is missing; add a table \[devices\]"),
        (
            'line = "stm32"',
            'line = "pl011"',
            "'line' must be one of stm32, nrf51, cmsdk, 16550, not",
        ),
        ("counter_start = {", "start = {", "devices: key 'counter_start' is missing; add { value"),
        ("counter_hz = {", "hz = {", "devices: key 'counter_hz' is missing; add { value = a num"),
        ("1_000_000_000", "48_000_000", "counter_hz is 48000000; half a nanosecond must go into"),
        ("1_000_000_000", "1_000", "counter_hz is 1000; half a nanosecond must go into"),
        ('mcu = "', 'cpu = ""\nmcu = "', "key 'cpu' is unknown; did you mean 'mcu'"),
        ('mcu = "', 'xyz = ""\nmcu = "', "key 'xyz' is unknown; remove it"),
        ("168_000_000", "-1", "clock_hz: 'value' must be 0 or more, not -1"),
        ("168_000_000", "1e6", "clock_hz: 'value' must be a whole number, not 1000000.0"),
        ("168_000_000", "true", "clock_hz: 'value' must be a whole number, not True"),
        (SOURCE, "", "clock_hz: key 'source' is missing; add a text"),
        (SOURCE, SOURCE + ", page = 3", "clock_hz: key 'page' is unknown; remove it"),
        (SOURCE, SOURCE + ", unverified = 1", "'unverified' must be true or false, not 1"),
        ("1_048_576", "-5", "region flash, bytes: 'value' must be 0 or more, not -5"),
        ("{ value = 1_048_576", "{ valu = 1", "region flash, bytes: key 'value' is missing"),
        ("reserved = { value = 0,", "reserved = { value = 2_000_000,", "region flash: 2000000 byt"),
        ('name = "ram"', 'name = "psram"', "its regions are flash, psram; it needs flash and ram"),
        ('name = "ram"', "", "region 2: key 'name' is missing; add a text"),
        ("[[region]]", "[[region]]\nwidth = 8", "region flash: key 'width' is unknown"),
    ],
)
def test_a_damaged_file_is_refused_with_what_is_wrong(damaged, old, new, why):
    with pytest.raises(BoardError, match=why) as error:
        load_board(damaged(old, new))
    assert "qemu_netduinoplus2.toml" in str(error.value)


ARDUINO = """
[platformio]
platform = "ststm32@19.4.0"
board = "nucleo_f446re"
framework = "arduino"
build_flags = ["-DNAME=1"]
lib_ignore = ["Mouse"]
options = ["upload_protocol = stlink"]

[[usb]]
vid = { value = 0x0483, source = "here" }
pid = { value = 0x374b, source = "here" }
note = "ST-LINK"

[[usb]]
vid = { value = 0x0483, source = "here" }
pid = { value = 0xdf11, source = "here" }
boot = true
note = "boot loader"

[power]
millivolts = { value = 3_300, source = "here" }
active_microamps = { value = 30_000, source = "here", unverified = true }

[storage]
start = { value = 0x0806_0000, source = "here" }
bytes = { value = 131_072, source = "here" }
write_bytes = { value = 1, source = "here" }
erase_bytes = { value = 131_072, source = "here" }
endurance = { value = 10_000, source = "here" }

[[region]]
name = "flash"
note = "program"
start = { value = 0x0800_0000, source = "here" }
bytes = { value = 524_288, source = "here" }
reserved = { value = 131_072, source = "here" }

[[region]]
name = "ram"
note = "arena"
start = { value = 0x2000_0000, source = "here" }
bytes = { value = 131_072, source = "here" }
reserved = { value = 2_048, source = "here" }
"""
HEAD = """id = "mine"
name = "mine"
mcu = "STM32F446"
core = "Cortex-M4F"
fpu = "single"
dsp = true
port = "arduino"
pointer_bytes = { value = 4, source = "here" }
stack_bytes = { value = 4_096, source = "here" }
baud = { value = 115_200, source = "here" }

[build]
prefix = "arm-none-eabi-"
cpu_flags = ["-mcpu=cortex-m4", "-mfloat-abi=hard"]
"""


def arduino(folder, old="", new=""):
    """The path of a whole board of the Arduino port, with one text replaced by another."""
    text = HEAD + ARDUINO
    assert old in text
    (folder / "mine.toml").write_text(text.replace(old, new, 1))
    return folder / "mine.toml"


def test_what_frameworks_usb_power_and_storage_say_is_read(tmp_path):
    board = load_board(arduino(tmp_path))
    assert (board.dsp, board.baud, board.devices) == (True, 115_200, None)
    assert board.platformio.platform == "ststm32@19.4.0"
    assert board.platformio.build_flags == ("-DNAME=1",) and board.platformio.lib_ignore
    assert board.platformio.options == ("upload_protocol = stlink",)
    assert [(usb.vid, usb.pid, usb.boot) for usb in board.usb] == [
        (0x0483, 0x374B, False),
        (0x0483, 0xDF11, True),
    ]
    assert (board.power.millivolts, board.power.sleep_microamps) == (3300, None)
    assert board.unverified == ("power, active_microamps",)
    assert (board.storage.write_bytes, board.storage.erase_bytes) == (1, 131_072)
    assert len({fact.field for fact in board.facts}) == numbers_in(dataclasses.asdict(board))


def test_a_board_that_tells_only_what_it_must_has_no_usb_power_and_storage(tmp_path):
    start, _, rest = ARDUINO.partition("[[usb]]")
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + start + "[[region]]" + rest.partition("[[region]]")[2])
    board = load_board(path)
    assert (board.usb, board.power, board.storage) == ((), None, None)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("baud =", "boud =", "key 'baud' is missing; add { value = a number"),
        ("115_200", "0", "baud is 0; it is bits a second, as 115200"),
        ("[platformio]", "[platform]", r"key 'platformio' is missing; add a table \[platformio"),
        ("@19.4.0", "", "'platform' has 'ststm32'; what it takes looks like 'ststm32@19.4.0'"),
        ("ststm32@", "https://host/x#", "'platform' has 'https://host/x#19.4.0'; what it takes"),
        ('"arduino"\nbuild', '"mbed"\nbuild', "'framework' must be one of arduino, not 'mbed'"),
        ("-DNAME=1", "!touch x", "'build_flags' has '!touch x'; what it takes looks like '-DNA"),
        ("-DNAME=1", "-fplugin=x", "'build_flags' has '-fplugin=x'"),
        ("-DNAME=1", "-DX=${sysenv.HOME}", "'build_flags' has '-DX="),
        ("upload_protocol = stlink", "extra_scripts = x.py", "'options' has 'extra_scripts = x"),
        ("= stlink", "= a\\nextra_scripts = x.py", "'options' has 'upload_protocol = a"),
        ('["Mouse"]', '["a\\nb"]', "'lib_ignore' has "),
        ("-mcpu=cortex-m4", "-fplugin=x", "build: 'cpu_flags' has '-fplugin=x'; what it takes"),
        ('"single"', '"none"', "fpu is 'none' but cpu_flags use an FPU; change one of them"),
        ("0xdf11", "0x1_0000", "usb 2: vid and pid have 16 bits, as 0x2341"),
        ("boot = true", "boot = 1", "usb 2: 'boot' must be true or false, not 1"),
        ("millivolts", "volts", "power: key 'millivolts' is missing; add"),
        ("0x0806_0000", "0x0805_0000", "start and bytes are not whole sectors of erase_bytes"),
        ("write_bytes = { value = 1,", "write_bytes = { value = 0,", "'write_bytes' is 0; it is 1"),
        ("write_bytes = { value = 1,", "write_bytes = { value = 3,", "write_bytes does not divide"),
        ("reserved = { value = 131_072", "reserved = { value = 0", "storage lies in region flash"),
        ("0x0806_0000", "0x2000_0000", "storage lies in ram; change its start"),
        ("0x2000_0000", "0x0807_0000", "regions flash and ram overlap; change the start or byt"),
        ("4_096", "130_000", "stack_bytes is 130000 and ram has 129024 usable bytes; lower it"),
        ("pointer_bytes = { value = 4", "pointer_bytes = { value = 3", "pointer_bytes is 3; it is"),
    ],
)
def test_what_contradicts_itself_or_could_run_a_program_is_refused(tmp_path, old, new, why):
    with pytest.raises(BoardError, match=why):
        load_board(arduino(tmp_path, old, new))


def test_a_clock_written_as_a_plain_number_is_refused_with_the_form(damaged):
    path = damaged("{ value = 168_000_000" + SOURCE + " }", "168_000_000")
    with pytest.raises(BoardError, match="'clock_hz' must be { value = a number, source = where"):
        load_board(path)


def test_regions_that_are_no_tables_are_refused(tmp_path):
    text = (boards_folder() / "native.toml").read_text().partition("[[region]]")[0]
    path = tmp_path / "native.toml"
    path.write_text("region = [1]\n" + text)
    with pytest.raises(BoardError, match=r"'region' must be tables \[\[region\]\], not \[1\]"):
        load_board(path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "native.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(BoardError, match="is not TOML"):
        load_board(path)


def test_a_folder_that_is_missing_from_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "tinydream" / "resources.py"))
    with pytest.raises(
        TinydreamError, match="folder 'boards' is missing from tinydream in .* `pip install"
    ):
        boards_folder()
