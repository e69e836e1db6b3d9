"""Batch norms that no longer learn become part of the layer before them."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.board import Board
from tinydream.budget import check_budget, fitted
from tinydream.errors import InputError
from tinydream.plan import Layer, Plan
from tinydream.weights import split_weights

__all__ = ["fold_batch_norms"]

F32 = NDArray[np.float32]
EPSILON = 0.001  # SPEC.md, "Between windows"


def fold_batch_norms(plan: Plan, weights: ArrayLike, *, board: Board) -> tuple[Plan, F32]:
    """The same predictions from fewer layers, parameters and bytes: a plan, and its parameters.

    A batch norm that trains nothing, right behind a dense layer or a convolution, is one scale and
    one shift a channel: they go into that layer's weights and biases. It stays where an Add wants
    what comes before it. weights: (parameters,) of `plan`; predictions differ by rounding only.
    Raises InputError for another number of weights, BudgetError when the board is too small.
    """
    given = np.asarray(weights, np.float32)
    if given.shape != (plan.parameters,):
        raise InputError(
            f"this plan has {plan.parameters} parameters; the array given has shape {given.shape}"
        )
    layers = plan.layers
    arrays = _arrays(plan, given)
    for at in reversed(range(2, len(layers), 2)):
        if _folds(layers, at):
            _fold(layers[at - 2], arrays[at - 2], arrays.pop(at))
            arrays = {i - 2 * (i > at): pair for i, pair in arrays.items()}
            layers = tuple(_earlier(x, at) for x in (*layers[: at - 1], *layers[at + 1 :]))
    made = fitted(replace(plan, layers=layers), board)
    check_budget(made, board)
    parts = [part.ravel() for i in sorted(arrays) for part in arrays[i]]
    return made, np.concatenate(parts).astype(np.float32)


def _arrays(plan: Plan, weights: F32) -> dict[int, list[NDArray[np.float64]]]:
    """W and b by the number of the layer, for those that have any; in more than float32."""
    parts = iter(split_weights(plan, weights).values())
    return {
        i: [next(parts).astype(np.float64), next(parts).astype(np.float64)]
        for i, layer in enumerate(plan.layers)
        if layer.parameters
    }


def _folds(layers: tuple[Layer, ...], at: int) -> bool:
    """Whether layer `at` is a batch norm, frozen, of the very outputs of a layer with weights."""
    norm, between, before = layers[at], layers[at - 1], layers[at - 2]
    wanted = any(layer.beside == at // 2 for layer in layers)  # operations count from 1
    frozen = norm.kind == "batch_norm" and norm.train == "none"
    alone = between.kind == "linear" and not wanted
    fits = before.kind in ("dense", "conv", "depthwise") and before.biases == norm.biases
    return frozen and alone and fits


def _fold(layer: Layer, into: list[NDArray[np.float64]], norm: list[NDArray[np.float64]]) -> None:
    """y = (x - m) * scale + shift, of the outputs x of `layer`, as its own W and b."""
    (mean, variance, gain), shift = norm
    scale = gain / np.sqrt(variance + EPSILON)
    W, b = into
    last = layer.kind == "depthwise"  # whose channels lie innermost, others' filters outermost
    W *= scale if last else scale.reshape(-1, *[1] * (W.ndim - 1))
    b[:] = (b - mean) * scale + shift


def _earlier(layer: Layer, at: int) -> Layer:
    """The layer, which may add what layer `at` or a later one gives, now that two are gone."""
    behind = layer.kind == "add" and layer.limit >= at
    return replace(layer, limit=layer.limit - 2) if behind else layer
