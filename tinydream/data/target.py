"""What is predicted: classes or numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import DataError

__all__ = [
    "MOST_WHOLE",
    "TASKS",
    "check_classes",
    "check_numbers",
    "choose_task",
    "refuse_measurement",
    "task_of",
]

TASKS = ("classification", "regression")
MOST_CLASSES = 65535
BLOCK = 1 << 20  # rows looked at together, so that no check copies a long target
MOST_WHOLE = 50  # so many different whole numbers are still taken for classes


def task_of(y: NDArray[Any]) -> str:
    """What kind of values a target holds: "labels" (text, booleans), "whole" or "fractions"."""
    if y.dtype.kind not in "iuf":
        return "labels"
    if y.dtype.kind == "f":
        for i in range(0, len(y), BLOCK):
            part = y[i : i + BLOCK]
            if not np.array_equal(part, np.rint(part), equal_nan=True):
                return "fractions"
    return "whole"


def choose_task(
    targets: Sequence[NDArray[Any]], names: Sequence[str], task: str | None
) -> tuple[str, tuple[str, ...]]:
    """The task for these targets, each (n,), and notes on how it was chosen.

    Text and booleans are classes. Numbers with fractions are regression. Whole numbers are
    classes when there are at most 50 different ones and two rows or more for each on average;
    else regression. Several targets are regression. `task` overrides all of it.

    Raises DataError for an unknown task, and for several targets with classification.
    """
    if task is not None and task not in TASKS:
        raise DataError(f"task is {task!r}; it is 'classification' or 'regression'")
    if len(targets) > 1:
        if task == "classification":
            raise DataError(
                f"classification has one target, not {len(targets)} ({', '.join(names)}); name"
                " one, or leave task out"
            )
        return "regression", ()
    if task is not None:
        return task, ()
    y, name = targets[0], names[0]
    kind = task_of(y)
    if kind == "labels":
        return "classification", ()
    if kind == "fractions":
        return "regression", (f"{name!r} holds numbers with fractions: the task is regression",)
    count = len(np.unique(y))
    if count <= MOST_WHOLE and (2 * count <= len(y) or count == 1):
        few = count <= 10
        why = f"at most {MOST_WHOLE} with two rows each: the task is classification"
        return "classification", () if few else (_whole(name, count, len(y), why),)
    why = f"more than {MOST_WHOLE}" if count > MOST_WHOLE else "fewer than two rows each"
    return "regression", (_whole(name, count, len(y), f"{why}: the task is regression"),)


def _whole(name: str, count: int, rows: int, why: str) -> str:
    return f"{name!r} holds {count} different whole numbers in {rows} rows, {why}"


def refuse_measurement(labels: NDArray[Any], target: str) -> None:
    """Raise DataError where whole numbers are too many different ones to be labels."""
    if task_of(labels) != "whole":
        return
    count = len(np.unique(labels))
    if count > max(MOST_WHOLE, len(labels) // 5):
        raise DataError(
            f"{target!r} has {count} different numbers in {len(labels)} rows: it looks like a"
            " measurement; say task='regression', or task='classification' if it is a label"
        )


def check_classes(
    labels: NDArray[Any], target: str, texts: Sequence[str] = ()
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Sorted classes (k,) and each label's index (n,) int32; raises DataError.

    Labels that are such indices are given back as they are, without a copy of them.

    texts: the classes, when labels are already their places.
    """
    if labels.dtype.kind == "f":
        _check_finite(labels, target)
        if task_of(labels) == "whole":
            labels = labels.astype(np.int64)
    try:
        classes = np.array(texts) if len(texts) else np.unique(labels)
    except TypeError:  # labels of several kinds, as objects
        raise DataError(f"{target!r} mixes kinds of labels; use numbers or text") from None
    if len(classes) < 2:
        raise DataError(
            f"{target!r} has only one class, {str(classes[0])!r}; classification needs two or more"
        )
    if len(classes) == len(labels) and len(labels) > 2:
        raise DataError(
            f"every one of the {len(labels)} values of {target!r} is different: it looks like an"
            " id; name the column to predict"
        )
    if len(classes) > MOST_CLASSES:
        raise DataError(f"{target!r} has {len(classes)} classes; at most {MOST_CLASSES} are kept")
    if len(texts):
        return classes, labels.astype(np.int32)
    if labels.dtype == np.int32 and (classes[0], classes[-1]) == (0, len(classes) - 1):
        return classes, labels
    index = np.empty(len(labels), np.int32)
    for i in range(0, len(labels), BLOCK):
        index[i : i + BLOCK] = np.searchsorted(classes, labels[i : i + BLOCK])
    return classes, index


def check_numbers(targets: Sequence[NDArray[Any]], names: Sequence[str]) -> NDArray[np.float64]:
    """Targets of regression, each (n,), as one (n, t) float64; raises DataError."""
    made = np.empty((len(targets[0]), len(targets)))
    for j, (y, name) in enumerate(zip(targets, names, strict=True)):
        try:
            made[:, j] = y
        except (TypeError, ValueError):
            raise DataError(
                f"regression needs numbers, and {name!r} holds {str(y[0])!r}; leave task out, or"
                " name another target"
            ) from None
        _check_finite(made[:, j], name)
        if len(y) and made[:, j].min() == made[:, j].max():
            raise DataError(f"{name!r} is {made[0, j]:g} in every row; nothing can be learned")
    return made


def _check_finite(y: NDArray[Any], name: str) -> None:
    if bad := int((~np.isfinite(y)).sum()):
        raise DataError(f"{name!r} holds NaN or inf in {bad} rows; fill in or remove these rows")
