"""What a device holds and what it is taught: weights, rows, channels."""

import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.bridge import answer, message
from tinydream.bridge.answer import Channel, Evaluation, Info, Seen, State
from tinydream.bridge.line import Line
from tinydream.bridge.link import Link
from tinydream.bridge.message import Message
from tinydream.errors import FirmwareError, InputError, VerifyError
from tinydream.plan import Plan
from tinydream.training import with_answers

__all__ = ["Contents"]

A = TypeVar("A", bound=Message)

PREDICT, JUDGE, LEARN = range(3)


class Contents(ABC):
    """The part of a `Device` that moves weights and rows; requests are the device's business."""

    _line: Line

    def __init__(self) -> None:
        self.values: dict[str, float] = {}  # of the channels, as they were told last
        self._plan: Plan | None = None
        self._channels: tuple[Channel, ...] | None = None

    @property
    @abstractmethod
    def link(self) -> Link: ...
    @abstractmethod
    def _known(self) -> Info: ...
    @abstractmethod
    def _ask(self, request: Message, kind: type[A], *, restarts: bool = False) -> A: ...
    @abstractmethod
    def _ask_all(
        self, requests: Sequence[Message], kind: type[A], fits: Callable[[Any, Any], bool]
    ) -> list[tuple[Message, A]]: ...
    @abstractmethod
    def hello(self) -> Info: ...
    @abstractmethod
    def status(self) -> State: ...
    @abstractmethod
    def channels(self) -> tuple[Channel, ...]: ...
    @abstractmethod
    def pause(self) -> State: ...
    @abstractmethod
    def resume(self) -> None: ...

    # ---- weights ----

    def pull(self) -> NDArray[np.float32]:
        """All weights and biases in the device's order (td.h), checked by their CRC-32.

        While a run is under way (from `on_metrics`) they are a mixture of steps and unchecked.
        Raises VerifyError when they do not match the CRC-32, LinkError when the device is gone.
        """
        info = self._known()
        for _ in range(2):
            state = self.status()
            weights = self._pull_all(info)
            if state.running or zlib.crc32(weights.astype("<f4").tobytes()) == state.crc32:
                return weights
        raise VerifyError(
            f"the weights read from {self.link.name!r} do not match the device's CRC-32"
            f" {state.crc32:08x}; stop other programs that use the device and pull again"
        )

    def _pull_all(self, info: Info) -> NDArray[np.float32]:
        chunk = (info.payload - 4) // 4
        weights = np.empty(info.parameters, np.float32)
        wanted = [
            message.Pull(first, min(chunk, info.parameters - first))
            for first in range(0, info.parameters, chunk)
        ]
        for _, got in self._ask_all(wanted, answer.Weights, _same_weights):
            weights[got.first : got.first + len(got.values)] = got.values
        return weights

    def push(self, weights: ArrayLike) -> None:
        """Replace all parameters, (parameters,), and check them there; no run may be under way.

        From the first piece to the last the device holds neither the old nor the new ones, and
        refuses to use them; one that is interrupted is pushed again, or trains afresh. Raises
        InputError for another number of weights or one that is not finite, FirmwareError when the
        device refuses.
        """
        info = self._known()
        values = np.ascontiguousarray(weights, np.float32) + np.float32(0)  # there is no -0
        if values.shape != (info.parameters,):
            raise InputError(
                f"the device has {info.parameters} parameters; the array given has shape"
                f" {values.shape}"
            )
        if not (np.abs(values) < 2.0**33).all():
            raise InputError("a weight is infinite, no number, or 2^33 or more; push none of these")
        chunk = self._line.most(info.payload, 4, 4)
        pieces = [message.Push(at, values[at : at + chunk]) for at in range(0, len(values), chunk)]
        self._ask_all(pieces, answer.Taken, lambda piece, taken: piece.first == taken.first)
        crc = zlib.crc32(values.astype("<f4").tobytes())
        self._ask(message.Pushed(crc), answer.Nothing)

    def pull_rows(self, count: int) -> bytes:
        """The first `count` bytes of the packed representatives, as the device has them."""
        most = self._known().payload - 4
        wanted = [message.Rows(at, min(most, count - at)) for at in range(0, count, most)]
        data = bytearray(count)
        for _, got in self._ask_all(wanted, answer.Packed, _same_rows):
            data[got.first : got.first + len(got.data)] = got.data
        return bytes(data)

    def refill(self, plan: Plan) -> None:
        """Replace all representatives by those of `plan`, which is the device's from then on.

        No run may be under way. After a restart the device is as it was built, and may be refilled
        again. Raises InputError when the plans differ in more than packed rows, FirmwareError when
        the device has its representatives in flash.
        """
        info = self._known()
        if not self._differs_in_rows(plan):
            raise InputError(
                f"plan {plan.digest.hex()} differs from the device's {info.digest.hex()} in more"
                " than its representatives, or the device is half refilled; reset it, or build"
                " and flash this plan"
            )
        data, chunk = plan.rows.bits.tobytes(), self._line.most(info.payload, 4, 1)
        pieces = [message.Fill(at, data[at : at + chunk]) for at in range(0, len(data), chunk)]
        self._ask_all(pieces, answer.Laid, lambda piece, laid: piece.first == laid.first)
        self._ask(message.Filled(zlib.crc32(data), plan.digest), answer.Nothing)
        self._plan = plan
        self.hello()

    def _differs_in_rows(self, plan: Plan) -> bool:
        """Whether the device's plan is this one but for its rows; its digest proves it."""
        if self._plan is not None:
            same = len(plan.rows.bits) == len(self._plan.rows.bits)
            return same and _with_rows(plan, self._plan.rows.bits.tobytes()) == self._plan
        try:
            rows = self.pull_rows(len(plan.rows.bits))
        except FirmwareError:  # it has fewer
            return False
        return _with_rows(plan, rows).digest == self._known().digest

    # ---- rows ----

    def predict(self, raw: ArrayLike) -> NDArray[Any]:
        """Rows in raw units (n, features; NaN: missing) to class indices (n,), int32.

        For regression to targets in raw units (n, targets), float32. `expect` comes first.
        Raises InputError for rows of another shape.
        """
        labels, outputs = self._predict(raw)
        return labels if self._made().task == "classification" else outputs

    def predict_proba(self, raw: ArrayLike) -> NDArray[np.float32]:
        """Class probabilities (n, classes) of rows in raw units. InputError for regression."""
        if self._made().task != "classification":
            raise InputError("probabilities are of classes, and this plan is for regression")
        return self._predict(raw)[1]

    def judge(self, raw: ArrayLike, y: ArrayLike) -> Evaluation:
        """How good these rows (n, features) are predicted: y as `learn` wants it."""
        return self._use(JUDGE, raw, y)

    def learn(self, raw: ArrayLike, y: ArrayLike) -> Evaluation:
        """Train on these rows at once, each among drawn ones (`set(mix=...)`).

        raw: (n, features) in raw units. y: (n,) class indices, or (n, targets). Returns how good
        each was predicted before it was learnt. The rate is that of the run that is under way, of
        the last one, or of `set(rate=...)`. Raises InputError for another shape, FirmwareError
        when the device refuses a row.
        """
        return self._use(LEARN, raw, y)

    def set(
        self,
        *,
        rate: float | None = None,
        mix: int | None = None,
        report: int | None = None,
        save_every: int | None = None,
    ) -> None:
        """Turn knobs of a run that is under way, or of the rows that will be learnt.

        rate: learning rate from the next update on. mix: drawn rows with each row that is learnt.
        report: metrics come after each `report`th epoch. save_every: weights and run are saved
        after as many epochs and at the end; 0: never; SAVE_BEST: when the validation loss is the
        least so far. Raises FirmwareError out of range, or without storage.
        """
        knobs = {"rate": rate, "mix": mix, "report": report, "save_every": save_every}
        for name, value in knobs.items():
            if value is not None:
                self._ask(message.Knob.of(name, value), answer.Nothing)

    def _made(self) -> Plan:
        if self._plan is None:
            raise InputError("the device's plan is not known yet; call expect(plan) first")
        return self._plan

    def _rows(self, raw: ArrayLike) -> NDArray[np.float32]:
        rows = np.ascontiguousarray(raw, np.float32)
        columns = self._made().inputs.raw_columns
        if rows.ndim != 2 or rows.shape[1] != columns:
            raise InputError(
                f"rows need {columns} features; the array given has shape {rows.shape}"
            )
        return rows

    def _predict(self, raw: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        seen = [self._row(PREDICT, row) for row in self._rows(raw)]
        found = np.array([one.outputs for one in seen], np.float32)
        if self._made().loss == "bce":  # the device tells the share of class 1
            found = np.hstack([1 - found, found])
        return np.array([one.result for one in seen], np.int32), found

    def _use(self, use: int, raw: ArrayLike, y: ArrayLike) -> Evaluation:
        plan = self._made()
        rows = with_answers(plan.inputs.raw_columns, plan.rows.targets, raw, y)
        seen = [self._row(use, row) for row in rows]
        loss = float(np.mean([one.loss for one in seen])) if seen else 0.0
        return Evaluation(len(seen), sum(one.result for one in seen), loss)

    def _row(self, use: int, row: NDArray[np.float32]) -> Seen:
        """One row, in as many pieces as it needs; a run pauses while there are several."""
        chunk = self._line.most(self._known().payload, 3, 4)
        held = len(row) > chunk and self.status().state == 1
        if held:
            self.pause()
        try:
            for at in range(0, len(row), chunk):
                seen = self._ask(message.Row(use, at, row[at : at + chunk]), Seen)
        finally:
            if held:
                self.resume()
        return seen

    # ---- storage ----

    def save(self) -> None:
        """Keep the weights over a power cut; FirmwareError where there is no storage."""
        self._ask(message.Save(), answer.Nothing)

    def load(self, *, run: bool = False) -> None:
        """Take what was saved; with `run`, the run that was under way then as well."""
        self._ask(message.Load(run), answer.Nothing)

    def erase(self) -> None:
        """Forget what was saved."""
        self._ask(message.Erase(), answer.Nothing)

    # ---- channels ----

    def _read_values(self, data: bytes) -> dict[str, float]:
        forms = {0: "<f", 1: "<I", 2: "<i"}
        return {
            channel.name: struct.unpack(forms[channel.kind], data[4 * i : 4 * i + 4])[0]
            for i, channel in enumerate(self.channels())
            if len(data) >= 4 * i + 4 and channel.kind in forms
        }


def _same_weights(asked: message.Pull, got: answer.Weights) -> bool:
    return (got.first, len(got.values)) == (asked.first, asked.count)


def _with_rows(plan: Plan, bits: bytes) -> Plan:
    return replace(plan, rows=replace(plan.rows, bits=np.frombuffer(bits, np.uint8)))


def _same_rows(asked: message.Rows, got: answer.Packed) -> bool:
    return (got.first, len(got.data)) == (asked.first, asked.count)
