"""docs/results/boards.md: the figures as a table."""

from typing import Any

from bench.core.table import table

__all__ = ["make"]

HEAD = (
    *("board", "core", "built", "ran", "weights CRC-32", "instructions a step", "flash"),
    *("of it code", "RAM", "of it stack", "stack used"),
)


def make(found: dict[str, Any]) -> str:
    """Markdown of all that was found."""
    tools = ", ".join(f"{name} {found[name]}" for name in found if "gcc" in name or "qemu" in name)
    crcs = {figures["weights_crc32"] for figures in found["boards"].values()}
    verdict = (
        "every board has the same" if crcs == {found["simulator"]} else "NOT all have the same"
    )
    return (
        "# Emulated boards\n\n"
        f"Made by `{found['command']}`; {tools}. Each board trains 64-32-10 on 100 digits of 4 bits"
        " a pixel, plain SGD on single rows, two epochs of 150 rows. It is built by PlatformIO, as"
        " `tinydream build` does it, and trains over the serial protocol; a board that cannot has"
        f" no row. The simulator's weights have CRC-32 {found['simulator']}; **{verdict}**.\n\n"
        + table(HEAD, [_row(name, figures) for name, figures in found["boards"].items()])
        + "\n\nInstructions are counted by the board itself under `-icount shift=0`, with drawing"
        " the row; they are no time on any chip. Sizes are bytes as linked; RAM is all that the"
        " program can write to; stack used is how much paint was gone after training and pulling"
        " the weights. A board without FPU pays for it in instructions, not in bits.\n"
    )


def _row(name: str, figures: dict[str, Any]) -> tuple[object, ...]:
    core = figures["core"] + (" with FPU" if figures["fpu"] == "single" else "")
    sizes = (f"{figures[key]:,}" for key in ("flash", "code", "ram", "stack_given", "stack"))
    counted = (figures["weights_crc32"], f"{figures['instructions']:,}")
    return (f"`{name}`", core, "yes", "yes", *counted, *sizes)
