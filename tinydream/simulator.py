"""The C core as a device in this process: the very code that will be flashed."""

from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream import _core
from tinydream.errors import FirmwareError, InputError
from tinydream.plan import Plan
from tinydream.training import SCHEDULES, Evaluation, Knobs, Metrics, with_answers

__all__ = ["Simulator"]

STEPS_A_CALL = 256  # so that Ctrl-C is heard within milliseconds


class Simulator:
    """A device built from `plan`, without a board: same weights, same numbers, bit for bit.

    Raises FirmwareError when the core refuses the plan.
    """

    tick_unit = ""

    def __init__(self, plan: Plan, weights_seed: int = 0) -> None:
        self.plan = plan
        device = _core.sim_new(plan.to_bytes(), weights_seed)
        if isinstance(device, int):
            _check(device)
        self._device = device

    def train(
        self,
        *,
        epochs: int = 20,
        rate: float = 3e-3,
        seed: int = 0,
        weights_seed: int = 0,
        fresh: bool = True,
        epoch_rows: int = 0,
        schedule: str = "constant",
        every: int = 10,
        factor: float = 0.1,
        patience: int = 0,
        on_metrics: Callable[[Metrics], object] | None = None,
    ) -> list[Metrics]:
        """Train as `Device.train` does and return the metrics of each epoch.

        Raises FirmwareError when a loss or a gradient is not finite (weights then stay as they
        were), and InputError for patience with a plan that has no validation rows.
        """
        knobs = Knobs(
            epochs, rate, seed, weights_seed, epoch_rows, schedule, every, factor, patience
        )
        knobs.check(self.plan.validation is not None)
        if fresh:
            _check(_core.sim_init(self._device, knobs.weights_seed))
        _check(
            _core.sim_start(
                self._device,
                *(knobs.seed, knobs.epochs, knobs.epoch_rows, knobs.rate),
                *(SCHEDULES[knobs.schedule], knobs.every, knobs.factor, knobs.patience),
            )
        )
        history: list[Metrics] = []
        running = 1
        while running:
            code, *numbers, running = _core.sim_steps(self._device, STEPS_A_CALL)
            _check(code)
            if code == 1:
                history.append(Metrics(*numbers))
                if on_metrics:
                    on_metrics(history[-1])
        return history

    def first_steps(self) -> int:
        """CRC-32 of the weights after 16 steps from seed 0 (TD_SELF_TEST); they are lost here."""
        _check(_core.sim_init(self._device, 0))
        _check(_core.sim_start(self._device, 0, 2**32 - 1, 0, 1e-3, 0, 0, 0.0, 0))
        for _ in range(16):
            if _core.sim_steps(self._device, 1)[0] < 0:
                break
        return crc32(_core.sim_weights(self._device))

    @property
    def weights(self) -> NDArray[np.float32]:
        """All parameters, (parameters,): layer by layer W (out, in) row-major, then b."""
        return np.frombuffer(_core.sim_weights(self._device), np.float32)

    def pull(self) -> NDArray[np.float32]:
        """The same, under the name that devices on a wire have for it."""
        return self.weights

    def push(self, weights: ArrayLike) -> None:
        """Replace all parameters; raises InputError when they are not as many. -0 becomes 0."""
        weights = np.ascontiguousarray(weights, np.float32) + np.float32(0)
        if weights.shape != (self.plan.parameters,):
            raise InputError(
                f"this plan has {self.plan.parameters} parameters; the array given has shape"
                f" {weights.shape}"
            )
        _check(_core.sim_set_weights(self._device, weights.tobytes()))

    def learn(self, raw: ArrayLike, y: ArrayLike, mix: int | None = None) -> Evaluation:
        """Train on these rows at once, each among `mix` drawn ones (None: a batch's).

        raw: (n, features) in raw units. y: (n,) class indices, or (n, targets). Goes on in the
        stream, and at the rate, of the last run. Returns how good each row was predicted before it
        was learnt. Raises InputError for another shape, FirmwareError when the core refuses a row.
        """
        rows = with_answers(self.plan.inputs.raw_columns, self.plan.rows.targets, raw, y)
        drawn = self.plan.mix if mix is None else mix
        codes, losses = _core.sim_learn(self._device, rows, drawn)
        results = np.frombuffer(codes, np.int32)
        _check(int(results.min(initial=0)))
        mean = float(np.frombuffer(losses, np.float32).mean()) if len(rows) else 0.0
        return Evaluation(len(rows), int(results.sum()), mean)

    def predict_proba(self, raw: ArrayLike) -> NDArray[np.float32]:
        """Class probabilities (n, classes) of rows in raw units (n, features).

        Raises InputError for regression, and for rows of another shape.
        """
        if self.plan.task != "classification":
            raise InputError("probabilities are of classes, and this plan is for regression")
        return self._predict(raw)[1]

    def predict(self, raw: ArrayLike) -> NDArray[Any]:
        """Rows in raw units (n, features; NaN: missing) to class indices (n,), int32.

        For regression to targets in raw units (n, targets), float32.
        """
        labels, outputs = self._predict(raw)
        return labels if self.plan.task == "classification" else outputs

    def score(self, raw: ArrayLike, truth: ArrayLike) -> float:
        """Share of rows whose class index is right; for regression R2, the mean over targets."""
        found = self.predict(raw)
        if self.plan.task == "classification":
            return float(np.mean(found == np.asarray(truth)))
        y = np.asarray(truth, np.float64).reshape(found.shape)
        rest, spread = ((y - found) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)
        return float(np.mean(np.where(spread > 0, 1 - rest / np.maximum(spread, 1e-300), 0)))

    def _predict(self, raw: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        rows = np.ascontiguousarray(raw, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.plan.inputs.raw_columns:
            raise InputError(
                f"rows need {self.plan.inputs.raw_columns} features; the array given has shape"
                f" {rows.shape}"
            )
        labels, outputs = _core.sim_predict(self._device, rows)
        found = np.frombuffer(outputs, np.float32).reshape(len(rows), -1)
        if self.plan.loss == "bce":  # the device tells the share of class 1
            found = np.hstack([1 - found, found])
        return np.frombuffer(labels, np.int32), found


def _check(code: int) -> None:
    if code < 0:
        raise FirmwareError(f"the core answers {code}: {_core.error_text(code)}")
