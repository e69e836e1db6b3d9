"""Port 'keras': a plan's network trained by Keras, on the rows that a device would draw."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.codec import Representatives
from tinydream.errors import InputError
from tinydream.keras.model import make_model, read_weights
from tinydream.keras.rows import draw_rows
from tinydream.network.quiet import import_keras, quiet
from tinydream.plan import Plan
from tinydream.simulator import Simulator
from tinydream.training import Knobs, Metrics

__all__ = ["KerasTwin"]

F32 = NDArray[np.float32]
ROWS_A_CALL = 512  # of what is not trained


class KerasTwin:
    """A plan's network in Keras: same rows in the same order, same batches, loss, optimiser, rates
    and first weights as on a device, but Keras' arithmetic, its batch norms, which look at their
    own batch, and its dropout. So weights are like a device's, and not the same.

    Raises InputError when Keras is not there, and for a batch norm of which only biases train.
    """

    tick_unit = ""

    def __init__(self, plan: Plan) -> None:
        if any(x.kind == "batch_norm" and x.train == "bias" for x in plan.layers):
            raise InputError(
                "Keras trains a batch norm as a whole or not at all; plan without --bias-only, or"
                " train with --port sim"
            )
        self.plan, self._keras = plan, import_keras()
        self._weights = np.array(Simulator(plan).weights)
        self._reps = _representatives(plan)

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

        Raises InputError when a loss is not finite (weights are then those it began with), and for
        patience with a plan that has no validation rows.
        """
        knobs = Knobs(
            epochs, rate, seed, weights_seed, epoch_rows, schedule, every, factor, patience
        )
        knobs.check(self.plan.validation is not None)
        if fresh:
            self._weights = np.array(Simulator(self.plan, weights_seed).weights)
        training = _Training(self._keras, self.plan, self._weights, knobs, self._reps)
        history: list[Metrics] = []
        for metrics in training.epochs():
            history.append(metrics)
            if on_metrics:
                on_metrics(metrics)
            if training.ended(metrics):
                break
        self._weights = training.weights()
        return history

    def pull(self) -> F32:
        """All parameters, (parameters,), in the order of a device."""
        return self._weights

    def push(self, weights: ArrayLike) -> None:
        """Replace all parameters; raises InputError when they are not as many."""
        found = np.array(weights, np.float32)
        if found.shape != (self.plan.parameters,):
            raise InputError(
                f"this plan has {self.plan.parameters} parameters; the array given has shape"
                f" {found.shape}"
            )
        self._weights = found

    def predict_proba(self, raw: ArrayLike) -> F32:
        """Class probabilities (n, classes) of rows in raw units (n, features).

        Raises InputError for regression.
        """
        if self.plan.task != "classification":
            raise InputError("probabilities are of classes, and this plan is for regression")
        found = self._outputs(raw)
        return np.hstack([1 - found, found]) if self.plan.loss == "bce" else found

    def predict(self, raw: ArrayLike) -> NDArray[Any]:
        """Rows in raw units (n, features; NaN: missing) to class indices (n,), int32.

        For regression to targets in raw units (n, targets), float32.
        """
        if self.plan.task == "classification":
            return np.asarray(self.predict_proba(raw).argmax(axis=1), np.int32)
        return self._outputs(raw)

    def _outputs(self, raw: ArrayLike) -> F32:
        model = make_model(self.plan, self._weights)
        return np.asarray(model.predict(np.asarray(raw, np.float32), ROWS_A_CALL, verbose=0))


def _representatives(plan: Plan, validation: bool = False) -> Representatives:
    rows = plan.validation if validation and plan.validation else plan.rows
    return Representatives(plan.inputs, rows, np.arange(len(plan.classes)), plan.outputs)


class _Training:
    """One run: a compiled model, and the weights that were best so far."""

    def __init__(
        self, keras: Any, plan: Plan, weights: F32, knobs: Knobs, reps: Representatives
    ) -> None:
        self.plan, self.knobs, self.reps = plan, knobs, reps
        with quiet():
            self.model = _compiled(keras, plan, weights, knobs)
        self.held = _held(plan)
        self.least, self.best, self.kept = math.inf, 0, None  # loss, epoch, weights

    def epochs(self) -> Any:
        """Train, an epoch at a time, and give the metrics of each."""
        count = self.knobs.epoch_rows or self.reps.rows.rows
        steps = -(-count // self.plan.batch)
        for epoch in range(self.knobs.epochs):
            x, y, _ = draw_rows(self.reps, epoch * count, count, self.knobs.seed)
            self.model.optimizer.learning_rate = _rate(self.knobs, epoch)
            y = _answers(self.plan, y)
            told = self.model.fit(x, y, self.plan.batch, shuffle=False, verbose=0).history
            loss, right = told["loss"][0], told.get("right", [0.0])[0]
            if not math.isfinite(loss):
                raise InputError(
                    f"the loss of epoch {epoch + 1} is no number any more; train with a smaller"
                    " --rate"
                )
            made = (epoch + 1, (epoch + 1) * steps, count, round(right * count), loss)
            yield Metrics(*made, *self._validate(epoch + 1))

    def _validate(self, epoch: int) -> tuple[Any, ...]:
        """Rows, how many of them right, their loss, the best epoch so far."""
        if self.held is None:
            return ()
        x, y = self.held
        told = self.model.evaluate(x, y, ROWS_A_CALL, verbose=0, return_dict=True)
        if told["loss"] < self.least:
            self.least, self.best = told["loss"], epoch
            self.kept = self.model.get_weights()
        return len(x), round(told.get("right", 0.0) * len(x)), told["loss"], self.best

    def ended(self, metrics: Metrics) -> bool:
        """Whether patience is at an end."""
        return 0 < self.knobs.patience <= metrics.epoch - metrics.best

    def weights(self) -> F32:
        """Those of the last epoch, or of the best one where the plan keeps it."""
        if self.plan.keep_best and self.kept is not None:
            self.model.set_weights(self.kept)
        return read_weights(self.plan, self.model)


# ---- a plan's training in Keras' words ----


def _compiled(keras: Any, plan: Plan, weights: F32, knobs: Knobs) -> Any:
    """The network up to what its loss takes: logits, or scaled targets."""
    whole = make_model(plan, weights, raw=False)
    model = keras.Model(whole.inputs, whole.layers[-1].input)
    parts = zip(_with_parameters(plan), _with_weights(model), strict=True)
    for part, layer in parts:
        if part.train == "bias":
            layer.kernel.trainable = False
    for number, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign(np.array([knobs.seed, number], np.uint32))
    model.compile(_optimizer(keras, plan, knobs), _loss(keras, plan), metrics=_right(keras, plan))
    return model


def _with_parameters(plan: Plan) -> list[Any]:
    return [layer for layer in plan.operations if layer.parameters]


def _with_weights(model: Any) -> list[Any]:
    return [layer for layer in model.layers if layer.get_weights()]


def _optimizer(keras: Any, plan: Plan, knobs: Knobs) -> Any:
    o = plan.optimizer
    also = {"weight_decay": o.decay or None, "global_clipnorm": o.clip or None}
    if o.kind == "sgd":
        return keras.optimizers.SGD(knobs.rate, o.a, **also)
    return keras.optimizers.Adam(knobs.rate, o.a, o.b, o.c, **also)


def _loss(keras: Any, plan: Plan) -> Any:
    losses = keras.losses
    if plan.loss == "cross_entropy":
        if plan.rows.soft_bits:
            return losses.CategoricalCrossentropy(from_logits=True)
        return losses.SparseCategoricalCrossentropy(from_logits=True)
    if plan.loss == "bce":
        return losses.BinaryCrossentropy(from_logits=True)
    return losses.Huber(plan.delta) if plan.loss == "huber" else losses.MeanSquaredError()


def _right(keras: Any, plan: Plan) -> list[Any]:
    """The share of rows that are right."""
    if plan.task == "regression":
        return []
    if plan.loss == "bce":
        ops = keras.ops

        def right(y: Any, z: Any) -> Any:
            return ops.cast(ops.equal(y > 0.5, z > 0), "float32")

        return [right]
    soft = plan.rows.soft_bits
    kind = "CategoricalAccuracy" if soft else "SparseCategoricalAccuracy"
    return [getattr(keras.metrics, kind)(name="right")]


def _answers(plan: Plan, y: NDArray[Any]) -> NDArray[Any]:
    """y as the loss takes it; a sigmoid's is the share of the second class."""
    if plan.loss != "bce":
        return y
    return np.asarray(y[:, 1:] if y.ndim == 2 else y[:, None], np.float32)


def _held(plan: Plan) -> tuple[F32, NDArray[Any]] | None:
    if plan.validation is None:
        return None
    held = _representatives(plan, validation=True)
    y = held.y
    if plan.rows.soft_bits:  # these rows have labels, and the loss takes shares
        y = np.eye(plan.rows.classes, dtype=np.float32)[y]
    return held.X, _answers(plan, y)


def _rate(knobs: Knobs, epoch: int) -> float:
    if knobs.schedule == "step":
        return float(knobs.rate * knobs.factor ** (epoch // knobs.every))
    if knobs.schedule == "cosine":
        wave = (1 + math.cos(math.pi * epoch / knobs.epochs)) / 2
        return knobs.rate * (knobs.factor + (1 - knobs.factor) * wave)
    return knobs.rate
