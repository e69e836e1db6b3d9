"""The net that issue and peers measure, 64-32-10 on handwritten digits, as plans of fixed bytes."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinydream.board import load_board
from tinydream.codec.quantise import f8_encode, pack_rows
from tinydream.demo import load_digits
from tinydream.network import SGD, Adam, Dense, Network, Softmax
from tinydream.network.layers import AnyLayer
from tinydream.plan import Inputs, Outputs, Plan, Rows
from tinydream.planner import make_plan

__all__ = ["digits_plan", "picture_plan"]

COUNT = 100  # representatives: real rows, so that as many units are silent as in real training
SIDE = 28  # of a picture
HALF = 2  # they stand for so many rows each, or for one


@dataclass(frozen=True)
class _Record:
    inputs: Inputs
    rows: Rows
    outputs: Outputs
    classes: tuple[int, ...] = tuple(range(10))


def digits_plan(optimizer: SGD | Adam, batch: int, grids: int = 1) -> Plan:
    """64-32-10 on 100 digits of 4 bits a pixel, dreamt. The codec has no say in it.

    grids: 1 for all columns, or 64.
    """
    pixels, labels = _digits()
    width = np.full(grids, 4, np.uint8)
    rows = Rows(
        columns=64,
        label_bits=4,
        width=width,
        low=np.full(grids, -8, np.int8),
        step=f8_encode(np.full(grids, 0.125)),
        sigma=np.repeat(f8_encode(np.array([0.15])), 64),
        levels=((HALF, COUNT // 2), (1, COUNT - COUNT // 2)),
        bits=pack_rows(pixels, labels, width, 4),
    )
    inputs = Inputs(np.ones(64, bool), np.array([8.0]), np.array([-3]))
    network = Network.mlp([32], 10, optimizer)
    return make_plan(
        _Record(inputs, rows, Outputs()),
        network,
        board=load_board("qemu_netduinoplus2"),
        batch=batch,
    )


def picture_plan(optimizer: SGD | Adam, batch: int, windows: tuple[AnyLayer, ...]) -> Plan:
    """28x28, these layers, dense 10, on the same digits, enlarged."""
    small, labels = _digits()
    at = np.arange(SIDE) * 8 // SIDE
    pixels = small.reshape(-1, 8, 8)[:, at][:, :, at].reshape(COUNT, -1)
    width = np.full(1, 4, np.uint8)
    rows = Rows(
        columns=SIDE * SIDE,
        label_bits=4,
        width=width,
        low=np.full(1, -8, np.int8),
        step=f8_encode(np.full(1, 0.125)),
        sigma=np.repeat(f8_encode(np.array([0.15])), SIDE * SIDE),
        levels=((HALF, COUNT // 2), (1, COUNT - COUNT // 2)),
        bits=pack_rows(pixels, labels, width, 4),
    )
    inputs = Inputs(np.ones(SIDE * SIDE, bool), np.array([8.0]), np.array([-3]))
    return make_plan(
        _Record(inputs, rows, Outputs()),
        Network((*windows, Dense(10), Softmax()), optimizer, shape=(SIDE, SIDE, 1)),
        board=load_board("qemu_netduinoplus2"),
        batch=batch,
    )


def _digits() -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    data = load_digits()
    pixels = np.minimum(np.asarray(data.X[:COUNT]), 15).astype(np.uint16)
    return pixels, np.asarray(data.y[:COUNT], np.int32)


def tiled(plan: Plan, tile: int) -> Plan:
    """The same plan with as many rows in the arena at once as kernels of this tile want."""
    return replace(plan, slice=min(plan.batch, tile))
