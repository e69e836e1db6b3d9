"""A device on a link: asked who it is, trained, watched, and read out."""

import math
import time
import zlib
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinydream.bridge import frame, message
from tinydream.bridge.link import Link, SerialLink
from tinydream.bridge.message import Done, Info, Message, Metrics, State
from tinydream.errors import FirmwareError, LinkError, VerifyError
from tinydream.plan import FORMAT, Plan
from tinydream.training import Knobs

__all__ = ["Device"]

A = TypeVar("A", bound=Message)


class Device:
    """A board running our firmware. Every call blocks until it is done; there are no threads.

    timeout: seconds until a request is repeated, `tries` times in all; a batch should take less.
    open_timeout: seconds a board may take to start. silence: seconds without news after which a
    run is asked how far it is. on_log gets each line of text that the device prints.
    """

    def __init__(
        self,
        link: Link,
        *,
        timeout: float = 1.0,
        tries: int = 5,
        open_timeout: float = 10.0,
        silence: float = 2.0,
        on_log: Callable[[str], None] | None = None,
    ) -> None:
        self.link = link
        self.info: Info | None = None
        self.lost_events = 0
        self.damaged = 0  # pieces of the line that were neither frame nor text
        self._timeout, self._tries = timeout, tries
        self._open_timeout, self._silence = open_timeout, silence
        self._on_log = on_log
        self._last_line = ""  # of text: what a firmware that panicked has to say
        self._decoder = frame.Decoder()
        self._frames: deque[frame.Frame] = deque()
        self._events: deque[Metrics | Done] = deque()
        self._sequence = 0
        self._next_event: int | None = None
        self._stopped = False

    @classmethod
    def open(
        cls,
        port: str | Link,
        *,
        baud: int = 115_200,
        timeout: float = 1.0,
        tries: int = 5,
        open_timeout: float = 10.0,
        silence: float = 2.0,
        on_log: Callable[[str], None] | None = None,
    ) -> Self:
        """Connect and wait until the firmware has answered; `info` then says what it is.

        Raises LinkError when the port cannot be used or nothing answers.
        """
        link = SerialLink(port, baud=baud) if isinstance(port, str) else port
        device = cls(
            link,
            timeout=timeout,
            tries=tries,
            open_timeout=open_timeout,
            silence=silence,
            on_log=on_log,
        )
        try:
            device.hello()
        except BaseException:
            device.close()
            raise
        return device

    @property
    def tick_unit(self) -> str:
        """What `Metrics.ticks` count: "ns", "us", "instructions (emulated)"."""
        return self._known().tick_unit

    def close(self) -> None:
        self.link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---- requests ----

    def hello(self) -> Info:
        """Ask who it is, again and again: what is sent while a board starts up is lost.

        Raises LinkError when nothing answers, FirmwareError for firmware of another protocol.
        """
        interval = min(0.25, self._timeout)
        tries = math.ceil(self._open_timeout / interval)
        info = self._exchange(message.Hello(), Info, interval, tries)
        if info is None:
            raise LinkError(
                f"no tinydream firmware answered on {self.link.name!r} within"
                f" {self._open_timeout:g} s ({self.damaged} pieces of something else came"
                f"{self._last_words()}); check port and baud rate, or flash the firmware"
            )
        if info.protocol != message.PROTOCOL:
            raise FirmwareError(
                f"the firmware on {self.link.name!r} speaks protocol {info.protocol}, this"
                f" tinydream {message.PROTOCOL}; run `tinydream build` and flash it"
            )
        self.info = info
        return info

    def expect(self, plan: Plan) -> None:
        """Raise FirmwareError unless the device was built from this plan."""
        info = self._known()
        wanted = (FORMAT, plan.digest.hex(), plan.board, plan.parameters)
        found = (info.format, info.digest.hex(), info.board, info.parameters)
        names = ("format", "digest", "board", "parameters")
        for name, want, have in zip(names, wanted, found, strict=True):
            if want != have:
                raise FirmwareError(
                    f"the device on {self.link.name!r} was built from another plan: {name} {have}"
                    f" instead of {want} (plan {found[1]} for board {found[2]}, wanted {wanted[1]}"
                    f" for board {wanted[2]}); run `tinydream build` and flash it"
                )

    def status(self) -> State:
        return self._ask(message.Status(), State)

    def stop(self) -> None:
        """End the run, if there is one; weights stay as they are. Callable from `on_metrics`."""
        self._ask(message.Stop(), message.Stopped)
        self._stopped = True

    def reset(self) -> Info:
        """Restart the device and wait until it answers again. Weights are lost."""
        self._ask(message.Reset(), message.Restarting)
        self._events.clear()
        self._next_event = None
        return self.hello()

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
    ) -> Done:
        """Run `epochs` epochs and wait for the end; `on_metrics` gets each epoch that arrives.

        seed: order and deviations of the drawn rows. fresh: from new initial weights, drawn from
        weights_seed; else from the present ones. epoch_rows: rows an epoch, 0 for as many as the
        representatives stand for. schedule, every, factor: of the rate, see `Knobs`. An epoch's
        metrics may be lost on the way (`lost_events`); the end is not. Raises InputError for a
        value out of range, FirmwareError when a run ends early or a loss is not finite, LinkError
        when the device is gone.
        """
        self.start(
            Knobs(epochs, rate, seed, weights_seed, epoch_rows, schedule, every, factor, patience),
            fresh,
        )
        return self._watch(epochs, on_metrics)

    def start(self, knobs: Knobs, fresh: bool = True) -> None:
        """Begin a run as `train` does and return at once; `listen` then gives its news.

        Raises FirmwareError when the device refuses, LinkError when it is gone.
        """
        self._ask(message.Train.of(knobs, fresh), message.Started)
        self._events.clear()  # what came before the answer belongs to an earlier run
        self._stopped = False

    def listen(self, timeout: float) -> Metrics | Done | None:
        """The next news of a run, whoever began it; None when there is none in `timeout` seconds.

        Raises LinkError when the device is gone.
        """
        return self._take_event(timeout)

    # ---- a run ----

    def _watch(self, epochs: int, on_metrics: Callable[[Metrics], object] | None) -> Done:
        reached = 0
        while True:
            try:
                news = self._news()
            except LinkError as error:
                raise LinkError(
                    f"training broke off; the last that was heard of is epoch {reached} of"
                    f" {epochs}: {error}"
                ) from error
            reached = max(reached, news.epoch)
            if isinstance(news, Done):
                return self._judge(news, epochs)
            if isinstance(news, Metrics) and on_metrics is not None:
                on_metrics(news)

    def _news(self) -> Metrics | Done | State:
        """The next event, or after a silence how far the device says it is."""
        event = self._take_event(self._silence)
        if event is not None:
            return event
        state = self.status()
        if not state.running:  # the end was lost; metrics that came meanwhile still go first
            self._events.append(Done(state.epoch, state.step, state.crc32, state.error))
        return state

    def _judge(self, done: Done, epochs: int) -> Done:
        if done.error:
            raise FirmwareError(
                f"training ended in epoch {done.epoch + 1} of {epochs}:"
                f" {message.error_text(done.error)}"
            )
        if done.epoch < epochs and not self._stopped:
            raise FirmwareError(
                f"training ended after epoch {done.epoch} of {epochs} although nothing was wrong;"
                " the device restarted, or another program stopped it: train again"
            )
        return done

    def _take_event(self, timeout: float) -> Metrics | Done | None:
        deadline = time.monotonic() + timeout
        while not self._events:
            got = self._next_frame(deadline - time.monotonic())
            if got is None:
                return None
            self._keep_event(got)
        return self._events.popleft()

    def _keep_event(self, got: frame.Frame) -> None:
        if got.type not in (Metrics.TYPE, Done.TYPE):
            return  # an answer that was given up on
        ahead = 0 if self._next_event is None else (got.sequence - self._next_event) % 256
        if ahead == 255:
            return  # the last one once more
        try:
            event = (Metrics if got.type == Metrics.TYPE else Done).unpack(got.body)
        except FirmwareError:
            self.damaged += 1
            return
        self._events.append(event)
        self.lost_events += ahead
        self._next_event = (got.sequence + 1) % 256

    # ---- weights ----

    def _pull_all(self, info: Info) -> NDArray[np.float32]:
        chunk = (info.payload - 4) // 4
        weights = np.empty(info.parameters, np.float32)
        for first in range(0, info.parameters, chunk):
            count = min(chunk, info.parameters - first)
            got = self._ask(message.Pull(first, count), message.Weights)
            if (got.first, len(got.values)) != (first, count):
                raise FirmwareError(
                    f"asked for {count} weights from number {first}, the device on"
                    f" {self.link.name!r} sent {len(got.values)} from {got.first}; run"
                    " `tinydream build` and flash it"
                )
            weights[first : first + count] = got.values
        return weights

    # ---- one request, one answer ----

    def _known(self) -> Info:
        return self.info or self.hello()

    def _ask(self, request: Message, answer: type[A]) -> A:
        found = self._exchange(request, answer, self._timeout, self._tries)
        if found is None:
            raise LinkError(
                f"the device on {self.link.name!r} did not answer {type(request).__name__} in"
                f" {self._tries} tries of {self._timeout:g} s{self._last_words()}; check cable and"
                " power, allow more time with a longer timeout, then connect again"
            )
        return found

    def _exchange(self, request: Message, answer: type[A], timeout: float, tries: int) -> A | None:
        self._sequence = (self._sequence + 1) % 256
        data = frame.encode(request.TYPE, self._sequence, request.pack())
        for _ in range(tries):
            self.link.write(data)
            deadline = time.monotonic() + timeout
            while (left := deadline - time.monotonic()) > 0:
                got = self._next_frame(left)
                found = None if got is None else self._match(got, request, answer)
                if found is not None:
                    return found
        return None

    def _match(self, got: frame.Frame, request: Message, answer: type[A]) -> A | None:
        ours = got.sequence == self._sequence
        if ours and got.type == answer.TYPE:
            return answer.unpack(got.body)
        if ours and got.type == message.Failure.TYPE:
            failure = message.Failure.unpack(got.body)
            if failure.request == request.TYPE:
                raise FirmwareError(
                    f"the device on {self.link.name!r} refuses {request}:"
                    f" {message.error_text(failure.error)}"
                )
        self._keep_event(got)
        return None

    def _next_frame(self, timeout: float) -> frame.Frame | None:
        deadline = time.monotonic() + timeout
        while not self._frames:
            left = deadline - time.monotonic()
            if left <= 0:
                self._sort(self._decoder.flush())
                return None
            try:
                self._sort(self._decoder.feed(self.link.read(left)))
            except LinkError:
                self._sort(self._decoder.flush())  # last words of a device that died
                raise
        return self._frames.popleft()

    def _sort(self, items: list[frame.Item]) -> None:
        for item in items:
            if isinstance(item, frame.Frame):
                self._frames.append(item)
            elif isinstance(item, frame.Damage):
                self.damaged += 1
            else:
                for line in filter(str.strip, item.text.splitlines()):
                    self._last_line = line
                    if self._on_log is not None:
                        self._on_log(line)

    def _last_words(self) -> str:
        return f", and the text {self._last_line[:200]!r}" if self._last_line else ""
