"""Texts that C and templates want: literals, wrapped lists, Jinja's environment."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import jinja2

__all__ = ["environment", "f32", "quoted", "wrapped"]


def wrapped(items: list[str], width: int = 96) -> str:
    """The items of a C initialiser, each with its comma, in lines of at most so many columns."""
    lines, line = [], ""
    for item in items:
        if line and len(line) + len(item) + 2 > width:
            lines.append(line)
            line = ""
        line += (" " if line else "    ") + item + ","
    return "\n".join([*lines, line])


def f32(value: float) -> str:
    """A float literal that reads back as the same bits."""
    text = f"{np.float32(value):.9g}"
    return text + ("f" if "." in text or "e" in text else ".0f")


def quoted(text: str) -> str:
    """A C string literal; anything but plain ASCII becomes octal bytes, which C never joins on."""
    plain = set(range(32, 127)) - set(b'"\\?')
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def environment() -> "jinja2.Environment":
    """Where our templates are found; what a template wants and is not given is an error."""
    import jinja2  # here: it takes 30 ms that most verbs need not wait

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("tinydream.codegen"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    made.filters.update(f32=f32, quoted=quoted)
    return made
