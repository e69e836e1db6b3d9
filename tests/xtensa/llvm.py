"""Code for an ESP32's core by LLVM, whose Xtensa back end is experimental, around its known faults.

clang's driver knows no ESP32, so that llc gets its intermediate code; llc cannot choose between two
constant floats, and leaves a function's literals behind the function before it.
"""

import re
import struct
import subprocess
from pathlib import Path

__all__ = ["HERE", "assemble", "compile_c", "link"]

HERE = Path(__file__).parent

CLANG, LLC, ASSEMBLER, LINKER = "clang-22", "llc-22", "llvm-mc-22", "xtensa-lx106-elf-ld"
FLAGS = (
    *("-target", "xtensa", "-O2", "-std=c99", "-ffp-contract=off", "-ffreestanding"),
    *("-fno-builtin", "-fno-vectorize", "-fno-slp-vectorize", "-fno-jump-tables"),
    *("-ffunction-sections", "-fdata-sections", "-S", "-emit-llvm"),
)
# QEMU's de233_fpu lacks MULUH, which a real ESP32 has
CORE = ("-mtriple=xtensa", "-mcpu=esp32", "-mattr=-mul32high")
FLOAT = r"(-?\d[\d.]*e[+-]\d+|0x[0-9A-Fa-f]{16})"
CHOICE = re.compile(rf"^  (%\S+) = select (?:\w+ )*?(i1 %\S+), float {FLOAT}, float {FLOAT}$", re.M)


def compile_c(source: Path, made: Path, *options: str) -> Path:
    """An object of a C file; options: of the compiler. Raises CalledProcessError."""
    code, assembly = made.with_suffix(".ll"), made.with_suffix(".s")
    _do(CLANG, *FLAGS, *options, str(source), "-o", str(code))
    code.write_text(CHOICE.sub(_by_bits, code.read_text()))
    sections = ("--function-sections", "--data-sections")
    _do(LLC, *CORE, *sections, "-filetype=asm", str(code), "-o", str(assembly))
    assembly.write_text(_with_literals_before(assembly.read_text()))
    return assemble(assembly, made)


def assemble(source: Path, made: Path) -> Path:
    """An object of an assembly file."""
    _do(ASSEMBLER, "-triple=xtensa", "-mcpu=esp32", "-filetype=obj", str(source), "-o", str(made))
    return made


def link(objects: list[Path], script: Path, made: Path) -> Path:
    """A program."""
    flags = ("--no-relax", "--gc-sections", "-T", str(script))
    _do(LINKER, *flags, *map(str, objects), "-o", str(made))
    return made


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _by_bits(found: re.Match[str]) -> str:
    """The same choice, between integers of the same bits."""
    name, condition, first, second = found.groups()
    bits = f"%bits.{name[1:]}"
    between = f"{bits} = select {condition}, i32 {_bits(first)}, i32 {_bits(second)}"
    return f"  {between}\n  {name} = bitcast i32 {bits} to float"


def _bits(text: str) -> int:
    exact = text.startswith("0x")  # bits of a double, which holds the float
    value = struct.unpack(">d", bytes.fromhex(text[2:]))[0] if exact else float(text)
    return int(struct.unpack("<i", struct.pack("<f", value))[0])


def _with_literals_before(assembly: str) -> str:
    """Literals in front of the function that loads them, aligned."""
    made, waiting = list[str](), list[str]()
    for line in assembly.splitlines():
        if literal := re.match(r"\s+\.literal\s+(\S+),\s*(.+)$", line):
            waiting.append(f"{literal[1]}:\n\t.long {literal[2].strip()}")
            continue
        if ".literal_position" in line:
            continue
        if waiting and re.match(r"\s+\.type\s+\S+,@function", line):
            made += ["\t.p2align 2", *waiting]
            waiting.clear()
        made.append(line)
    assert not waiting
    return "\n".join(made) + "\n"
