"""Several boards that train the same run at once, and must come to the same weights."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import stages
from tinydream.errors import InputError, VerifyError
from tinydream.ports import PASSING, begin, open_port
from tinydream.run import Run
from tinydream.stages import Trained
from tinydream.watch import Event, Teller

__all__ = ["train"]


class _Another(threading.Thread):
    """A board that trains beside the first one, in a thread; `weights` come in the end.

    A daemon: when the first one fails, or Ctrl-C ends us, boards go on alone as they do then.
    """

    def __init__(self, port: str, work: Callable[[], NDArray[np.float32]]) -> None:
        super().__init__(name=port, daemon=True)
        self.port, self._work = port, work
        self._weights: NDArray[np.float32] | None = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._weights = self._work()
        except BaseException as error:
            self._error = error

    def weights(self) -> NDArray[np.float32]:
        """Wait for them; raises what went wrong."""
        self.join()
        if self._error is not None:
            raise self._error
        assert self._weights is not None
        return self._weights


def train(
    run: Run,
    ports: Sequence[str],
    tell: Callable[[Event], object],
    *,
    save_every: int = 0,
    wait: float = 60.0,
    **changes: Any,
) -> Trained:
    """Train on one port, as `stages.train` does, or on several boards at once.

    The run keeps what the first one comes to. Raises InputError for several ports of which one is
    no board, VerifyError when a board comes to other weights than the first one, and what
    `stages.train` raises, whichever board it is.
    """
    first, *rest = ports
    if rest and (passing := [port for port in ports if port in PASSING]):
        raise InputError(
            f"port {passing[0]!r} is no board on a line; several ports at once are for boards"
        )
    lock = threading.Lock()

    def tell_in_turn(event: Event) -> None:
        with lock:
            tell(event)

    def along(port: str) -> NDArray[np.float32]:
        return _train_along(run, port, Teller(port, tell_in_turn), save_every, wait, changes)

    others = [_Another(port, lambda port=port: along(port)) for port in rest]  # type: ignore[misc]
    teller = Teller(first, tell_in_turn)
    trained = stages.train(run, first, teller=teller, save_every=save_every, wait=wait, **changes)
    for other in others:
        if other.weights().tobytes() != trained.weights.tobytes():
            raise VerifyError(
                f"the board on {other.port!r} came to other weights than the one on {first!r};"
                f" `tinydream verify --port` tells which of them is wrong"
            )
    return trained


def _train_along(
    run: Run, port: str, teller: Teller, save_every: int, wait: float, changes: dict[str, Any]
) -> NDArray[np.float32]:
    """The weights that this board comes to; nothing of it is kept."""
    made, knobs = run.plan(), stages.knobs_of(run, changes)
    hears: dict[str, Any] = {"on_log": teller.log, "on_values": teller.values, "patience": wait}
    with open_port(run, made, port, save_every=save_every, **hears) as device:
        teller.opened(device)
        told = knobs.as_dict() | {"fresh": begin(run, made, device)}
        device.train(**told, on_metrics=lambda metrics: teller.epoch(metrics, device))
        return np.array(device.pull(), np.float32)
