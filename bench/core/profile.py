"""What a counted run was made of: instructions by function and opcode, and estimated cycles."""

import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from bench.core.target import PREFIX, Block, Program

__all__ = ["Code", "estimated_cycles"]

LINE = re.compile(r"^ *([0-9a-f]+):\t(\S+)(?:\t([^;@<]*))?")
NAME = re.compile(r"^[0-9a-f]+ <(.+)>:")
CONDITION = re.compile(r"(.+)(eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)")
KNOWN = set(
    "b bl blx bx cbz cbnz tbb tbh push pop ldr ldrb ldrh ldrsb ldrsh ldrd str strb strh strd"
    " ldmia ldmdb stmia stmdb add addw adc sub subw sbc rsb mov movw movt mvn neg cmp cmn tst teq"
    " and orr orn eor bic lsl lsr asr ror mul mla mls umull smull umlal smlal udiv sdiv clz uxtb"
    " uxth sxtb sxth ubfx sbfx bfi bfc rev vldr vstr vldmia vstmia vldmdb vstmdb vpush vpop vmov"
    " vmrs vmsr vadd vsub vmul vnmul vmla vmls vdiv vsqrt vneg vabs vcmp vcmpe vcvt vcvtr".split()
)
SINGLE = re.compile(r"v?(ldr|str)s?[bh]?")
ARITHMETIC = re.compile(r"v(add|sub|n?mul|div|sqrt|n?ml[as]|fn?m[as]|cvtr?)")


@dataclass(frozen=True)
class Instruction:
    """One line of a disassembly; `last`: where its function ends is not known here."""

    address: int
    function: str
    mnemonic: str
    operands: str

    @cached_property
    def base(self) -> str:
        """Without width, type, the s of flags, and condition."""
        name = self.mnemonic.split(".")[0]
        conditional = CONDITION.fullmatch(name)
        stems = [name, *([conditional[1]] if conditional else []), name.removesuffix("s")]
        stems += [conditional[1].removesuffix("s")] if conditional else []
        return next((stem for stem in stems if stem in KNOWN), name)

    @property
    def registers(self) -> int:
        """How many are in its list, such as {r4-r7, lr}."""
        listed = re.search(r"\{(.*)\}", self.operands)
        count = 0
        for part in listed[1].split(",") if listed else []:
            low, _, high = part.strip().partition("-")
            numbers = [int(re.sub(r"\D", "", name) or 0) for name in (low, high or low)]
            count += numbers[1] - numbers[0] + 1
        return count

    @property
    def result(self) -> str:
        return self.operands.split(",")[0].strip()

    def reads(self, register: str) -> bool:
        operands = [part.strip(" {}[]") for part in self.operands.split(",")]
        keeps = self.base in ("vcmp", "vcmpe", "vstr", "vmla", "vmls", "vfma", "vfms")
        return register in (operands if keeps else operands[1:])


class Code:
    """The disassembly of a program."""

    def __init__(self, program: Program) -> None:
        command = [f"{PREFIX}objdump", "-d", "--no-show-raw-insn", str(program.elf)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        self.core = program.core.name
        self.instructions = list(_parse(text))
        self.index = {each.address: i for i, each in enumerate(self.instructions)}

    def _block(self, block: Block) -> list[Instruction]:
        start = self.index[block.first]
        return self.instructions[start : start + block.count]

    def functions(self, blocks: list[Block]) -> Counter[str]:
        """Executed instructions by function."""
        counts: Counter[str] = Counter()
        for block in blocks:
            for each in self._block(block):
                counts[each.function] += block.times
        return counts

    def opcodes(self, blocks: list[Block]) -> Counter[str]:
        """Executed instructions by mnemonic, without condition and width."""
        counts: Counter[str] = Counter()
        for block in blocks:
            for each in self._block(block):
                counts[each.base] += block.times
        return counts

    def cycles(self, blocks: list[Block]) -> int:
        """Estimated: the core's table of costs applied to what was executed."""
        table, total = _costs(self.core), 0
        for block in blocks:
            total += block.times * estimated_cycles(self._block(block), table)
            total += block.taken * table["taken"]
        return total


def _parse(text: str) -> Iterator[Instruction]:
    function = ""
    for line in text.splitlines():
        if found := NAME.match(line):
            function = found[1]
        elif (found := LINE.match(line)) and not found[2].startswith("."):
            yield Instruction(int(found[1], 16), function, found[2], (found[3] or "").strip())


@lru_cache
def _costs(core: str) -> dict[str, Any]:
    tables = tomllib.loads((Path(__file__).parent / "costs.toml").read_text(encoding="utf-8"))
    return _costs(tables[core]["like"]) if "like" in tables[core] else tables[core]


def source(core: str) -> str:
    """The manual that the costs of `core` come from."""
    tables = tomllib.loads((Path(__file__).parent / "costs.toml").read_text(encoding="utf-8"))
    return str(tables[core]["source"])


def estimated_cycles(block: list[Instruction], table: dict[str, Any]) -> int:
    """Of a block that runs once from end to end."""
    total, before = 0, None
    for each in block:
        single = SINGLE.fullmatch(each.base) is not None
        if single and before is not None and SINGLE.fullmatch(before.base):
            total += min(table["after_load"], _cost(each, table))
        else:
            total += _cost(each, table)
        if before is not None and ARITHMETIC.fullmatch(before.base) and each.reads(before.result):
            total += table["consumed"]
        before = each
    return total


def _cost(each: Instruction, table: dict[str, Any]) -> int:
    for pattern, cycles, every in table["rules"]:
        if re.fullmatch(pattern, each.base):
            popped = table["pop_pc"] if each.base == "pop" and "pc" in each.operands else 0
            return int(cycles + every * each.registers + popped)
    return 1
