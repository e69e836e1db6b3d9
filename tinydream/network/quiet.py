"""Keras, imported only where it is wanted, and without what TensorFlow says meanwhile."""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from tinydream.errors import InputError

__all__ = ["import_keras", "quiet"]


def import_keras() -> Any:
    """The module; raises InputError that says what to install when it is not there."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet():
            import keras
            import tensorflow  # noqa: F401 (else Keras says so itself, at length)
    except ImportError as error:
        raise InputError(
            f"this needs Keras and TensorFlow ({error}); pip install 'tinydream[keras]'"
        ) from None
    return keras


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, and nothing on stdout and stderr, from Python or from below it.

    TensorFlow's C++ writes to the file descriptors; no variable silences all of it.
    """
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        null = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, null)
        for number in (1, 2):
            kept = os.dup(number)
            os.dup2(null, number)
            stack.callback(_restore, kept, number)
        silent = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(silent))
        stack.enter_context(contextlib.redirect_stderr(silent))
        yield


def _restore(kept: int, number: int) -> None:
    os.dup2(kept, number)
    os.close(kept)
