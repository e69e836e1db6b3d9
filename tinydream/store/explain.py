"""Where a store's bytes go, column by column, and why each is coded as it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.store.coder import Coder
from tinydream.store.columns import DECIMAL, FLOAT, INTEGER, MASK, WORDS
from tinydream.store.fit import MOST_TOKENS, tokens_of
from tinydream.store.model import Context, Model, Ref, read_models
from tinydream.store.store import Store

__all__ = ["Column", "explain"]

BLOCKS = 32  # that are looked at, evenly spaced


@dataclass(frozen=True)
class Column:
    """A column of a store. raw: its bytes as they were given. alone: about its bytes if each
    number were coded by itself. coded: about its bytes as they are, tables left out. how: which
    numbers stand for it; guess, classes: what is known of a number before it is read."""

    name: str
    raw: int
    alone: int
    coded: int
    how: str
    guess: str
    classes: str


def explain(store: Store) -> list[Column]:
    """What each column takes, from evenly spaced blocks; raises DataError for a damaged one."""
    coder, rows = store.coder, len(store)
    if coder is None:
        return []
    models = read_models(coder.models)
    names = _names(store, coder)
    coded, alone = np.zeros(len(names)), np.zeros(len(names))
    blocks = np.unique(np.linspace(0, store.blocks - 1, BLOCKS).astype(int)).tolist()
    seen = [store.planes(block) for block in blocks]
    for planes in seen:
        bits = np.empty(len(names))
        _core.store_sizes(coder.handle, planes, planes.shape[1], bits)
        coded += bits
    planes = np.concatenate(seen, axis=1)
    for p, values in enumerate(planes):
        alone[p] = _alone(np.ascontiguousarray(values))
    scale = rows / planes.shape[1] / 8
    made = []
    for p, name in enumerate(names):
        column, model = coder.columns[p], models[p]
        raw = 0 if column["kind"] == MASK else int(column["size"]) * rows
        made.append(
            Column(
                name,
                raw,
                round(alone[p] * scale),
                round(coded[p] * scale),
                _how(column, store, p),
                _guess(model, names, p),
                _seen(model.context, names, p),
            )
        )
    return made


def _alone(values: NDArray[np.uint64]) -> float:
    if not values.any():
        return 0.0
    tokens = tokens_of(values, 1.0, MOST_TOKENS)
    counts = np.bincount(tokens.of)
    share = counts[counts > 0] / len(values)
    return float(tokens.raw - len(values) * (share * np.log2(share)).sum())


def _names(store: Store, coder: Coder) -> list[str]:
    names = []
    widths = [sum(coder.columns["part"] == k) for k in range(len(store.names))]
    for column in coder.columns:
        part = int(column["part"])
        own = store.names[part]
        place = int(column["offset"]) // int(column["size"])
        name = own if widths[part] <= 1 else f"{own}[{place}]"
        names.append(f"{name} missing" if column["kind"] == MASK else name)
    return names


def _how(column: Any, store: Store, plane: int) -> str:
    kind = int(column["kind"])
    if column["width"] == 0 and kind != MASK:
        return "always the same"
    if store.texts(int(column["part"])):
        return f"{store.texts(int(column['part']))} texts"
    return {
        INTEGER: "whole numbers",
        FLOAT: "floats, in order",
        DECIMAL: f"decimals, {column['decimals']}" if column["decimals"] else "whole numbers",
        WORDS: f"{column['count']} different numbers",
        MASK: "where a number is missing",
    }[kind]


def _guess(model: Model, names: list[str], plane: int) -> str:
    if model.mode != "residual":
        return ""
    told = [_ref(tap.ref, names, plane) for tap in model.taps]
    return ("least squares of " if model.shift else "") + ", ".join(told)


def _seen(context: Context, names: list[str], plane: int) -> str:
    if context.kind == "none":
        return ""
    what = {
        "guess": "the guess",
        "value": ", ".join(_ref(ref, names, plane) for ref in context.refs),
        "change": "unrest of " + ", ".join(_ref(ref, names, plane) for ref in context.refs[:1]),
    }[context.kind]
    return f"{what} ({context.classes})"


def _ref(ref: Ref, names: list[str], plane: int) -> str:
    if ref.plane == 0:
        return f"{ref.row} row{'s' * (ref.row > 1)} before"
    name = names[plane - ref.plane] if plane >= ref.plane else "nothing"
    return name if not ref.row else f"{name} {ref.row} row{'s' * (ref.row > 1)} before"
