"""A device on a link: asked who it is, trained, watched, taught, and read out."""

import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from tinydream.bridge import answer, frame, message
from tinydream.bridge.answer import Channel, Counts, Done, Evaluation, Info, Metrics, State
from tinydream.bridge.contents import Contents
from tinydream.bridge.line import Health, Line, Refused, Unanswered
from tinydream.bridge.link import Link, SerialLink
from tinydream.bridge.message import Message
from tinydream.errors import FirmwareError, LinkError
from tinydream.plan import FORMAT, Plan
from tinydream.training import Knobs

__all__ = ["Device"]

A = TypeVar("A", bound=Message)
HELLO_FIRST = -11  # TD_EHELLO


class Device(Contents):
    """A board running our firmware. Every call blocks until it is done; there are no threads.

    timeout: seconds until a request is repeated, `tries` times in all; a batch should take less.
    open_timeout: seconds a board may take to start. silence: seconds without news after which a
    run is asked how far it is. on_log gets each line of text that the device prints, on_values
    what its channels hold. reopen: makes the link anew when it broke, for at most `patience`
    seconds; a device that went on meanwhile is gone on with, and one that restarted is told of.
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
        on_values: Callable[[dict[str, float]], object] | None = None,
        reopen: Callable[[], Link] | None = None,
        patience: float = 60.0,
    ) -> None:
        super().__init__()
        self.info: Info | None = None
        self._line = Line(link, on_log)
        self._timeout, self._tries = timeout, tries
        self._open_timeout, self._silence = open_timeout, silence
        self._on_log, self._on_values = on_log, on_values
        self._reopen, self._patience = reopen, patience
        self._stopped = False

    @classmethod
    def open(cls, port: str | Link, *, baud: int = 115_200, **options: Any) -> Self:
        """Connect and wait until the firmware has answered; `info` then says what it is.

        options: those of `Device`. A port that is named is opened again when its link breaks.
        Raises LinkError when the port cannot be used or nothing answers.
        """
        if isinstance(port, str):
            options.setdefault("reopen", lambda: SerialLink(port, baud=baud))
        link = SerialLink(port, baud=baud) if isinstance(port, str) else port
        device = cls(link, **options)
        try:
            device.hello()
        except BaseException:
            device.close()
            raise
        return device

    @property
    def link(self) -> Link:
        return self._line.link

    @property
    def health(self) -> Health:
        """The line, seen from here; `counts` is the other side."""
        return self._line.health

    @property
    def lost_events(self) -> int:
        return self.health.lost_events

    @property
    def damaged(self) -> int:
        return self.health.damaged

    @property
    def tick_unit(self) -> str:
        """What `Metrics.ticks` count: "ns", "us", "instructions (emulated)"."""
        return self._known().tick_unit

    def close(self) -> None:
        self.link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- who it is ----

    def hello(self) -> Info:
        """Ask who it is, again and again: what is sent while a board starts up is lost.

        Raises LinkError when nothing answers, FirmwareError for firmware of another protocol.
        """
        interval, line = min(0.25, self._timeout), self._line
        tries = math.ceil(self._open_timeout / interval)
        session = random.SystemRandom().randrange(1, 1 << 32)
        hello = message.Hello(message.PROTOCOL, session)
        info = line.exchange(hello, Info, interval, tries, extra=frame.OLD_HELLO)
        if info is None and not line.decoder.old_protocol:
            raise LinkError(
                f"no tinydream firmware answered on {self.link.name!r} within"
                f" {self._open_timeout:g} s ({self.damaged} pieces of something else came"
                f"{line.last_words()}); check port and baud rate, or flash the firmware"
            )
        protocol = info.protocol if info else line.decoder.old_protocol
        if info is None or protocol != message.PROTOCOL:
            raise FirmwareError(
                f"the firmware on {self.link.name!r} speaks protocol {protocol}, this"
                f" tinydream {message.PROTOCOL}; run `tinydream build` and flash it"
            )
        self.info, line.room = info, max(64, info.room)
        return info

    def expect(self, plan: Plan) -> None:
        """Raise FirmwareError unless the device was built from this plan."""
        info = self._known()
        wanted = (FORMAT, plan.digest.hex(), plan.board, plan.parameters)
        found = (info.format, info.digest.hex(), info.board, info.parameters)
        names = ("format", "digest", "board", "parameters")
        again = "`tinydream refill` if it has restarted, else " if plan.refill else ""
        for name, want, have in zip(names, wanted, found, strict=True):
            if want != have:
                raise FirmwareError(
                    f"the device on {self.link.name!r} was built from another plan: {name} {have}"
                    f" instead of {want} (plan {found[1]} for board {found[2]}, wanted {wanted[1]}"
                    f" for board {wanted[2]}); run {again}`tinydream build` and flash it"
                )
        self._plan = plan

    def status(self) -> State:
        return self._ask(message.Status(), State)

    def counts(self) -> Counts:
        """The device's side of the line, its memory, and its clock."""
        return self._ask(message.Health(), Counts)

    def channels(self) -> tuple[Channel, ...]:
        """The numbers that the firmware tells beside its metrics; asked once."""
        if self._channels is None:
            first = self._ask(message.Channels(0), Channel)
            rest = [self._ask(message.Channels(i), Channel) for i in range(1, first.count)]
            self._channels = (first, *rest) if first.count else ()
        return self._channels

    def reset(self) -> Info:
        """Restart the device and wait until it answers again. Weights are lost."""
        try:
            self._ask(message.Reset(), answer.Nothing, restarts=True)
        except Refused as refused:
            if refused.error != HELLO_FIRST:  # else it has restarted, and its answer was lost
                raise
        self._line.forget_events()
        self._channels = None
        return self.hello()

    # ---- a run ----

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
        return self.watch(on_metrics, epochs)

    def start(self, knobs: Knobs, fresh: bool = True) -> None:
        """Begin a run as `train` does and return at once; `watch` or `listen` give its news.

        Raises FirmwareError when the device refuses, LinkError when it is gone.
        """
        self._ask(message.Train.of(knobs, fresh), answer.Nothing)
        self._line.events.clear()  # what came before the answer belongs to an earlier run
        self._stopped = False

    def listen(self, timeout: float) -> Message | None:
        """The next event of a run, whoever began it; None when there is none in `timeout` seconds.

        Raises LinkError when the device is gone.
        """
        return self._event(timeout)

    def watch(self, on_metrics: Callable[[Metrics], object] | None = None, epochs: int = 0) -> Done:
        """Wait for the end of the run that is under way, whoever began it.

        epochs: how many it must come to, 0 if that is not known. Raises FirmwareError when it ends
        early or a loss is not finite, LinkError when the device is gone.
        """
        reached = 0
        while True:
            try:
                news = self._news()
            except LinkError as error:
                raise LinkError(
                    f"training broke off; the last that was heard of is epoch {reached}"
                    f"{f' of {epochs}' if epochs else ''}: {error}"
                ) from error
            if isinstance(news, Metrics | Done | State):
                reached = max(reached, news.epoch)
            if isinstance(news, Done):
                return self._judge(news, epochs)
            if isinstance(news, Metrics) and on_metrics is not None:
                on_metrics(news)

    def stop(self) -> None:
        """End the run, if there is one; weights stay as they are. Callable from `on_metrics`."""
        self._ask(message.Stop(), answer.Nothing)
        self._stopped = True

    def pause(self) -> State:
        """Hold the run between two updates; returns where it is. FirmwareError without a run."""
        self._ask(message.Pause(True), answer.Nothing)
        return self.status()

    def resume(self) -> None:
        """Let a paused run go on."""
        self._ask(message.Pause(False), answer.Nothing)

    def step(self, count: int = 1) -> State:
        """Go on for `count` updates, wait, and pause; returns where the run is then."""
        self._ask(message.Step(count), answer.Nothing)
        while True:
            self._until(answer.Paused)
            if (state := self.status()).state != 1:
                return state

    def evaluate(self) -> Evaluation:
        """The device's validation rows, with the weights as they are.

        Raises FirmwareError while a run is under way, LinkError when no answer arrives.
        """
        self._ask(message.Evaluate(), answer.Nothing)
        for _ in range(self._tries):
            for event in self._until(answer.Evaluation):
                if isinstance(event, Evaluation):
                    return event
            self._ask(message.Evaluate(), answer.Nothing)  # what it came to was lost
        raise LinkError(f"the device on {self.link.name!r} evaluated, and that was always lost")

    # ---- news ----

    def _news(self) -> Message:
        """The next event, or after a silence how far the device says it is."""
        event = self._event(self._silence)
        if event is not None:
            return event
        state = self.status()
        if not state.running:  # the end was lost; metrics that came meanwhile still go first
            self._line.events.append(Done(state.epoch, state.step, state.crc32, state.error))
        return state

    def _event(self, timeout: float) -> Message | None:
        try:
            event = self._line.next_event(timeout)
        except LinkError as error:
            self._reconnect(error)
            return None
        if isinstance(event, answer.Values):
            self.values = self._read_values(event.data)
            if self._on_values is not None:
                self._on_values(self.values)
        return event

    def _until(self, kind: type[Message]) -> Sequence[Message]:
        """What is heard until an event of that kind or a silence; the others are kept."""
        heard: list[Message] = []
        while (event := self._event(self._silence)) is not None:
            heard.append(event)
            if isinstance(event, kind):
                break
        self._line.events.extendleft(
            x for x in reversed(heard) if not isinstance(x, kind | answer.Values)
        )
        return heard

    def _judge(self, done: Done, epochs: int) -> Done:
        of = f" of {epochs}" if epochs else ""
        if done.error:
            raise FirmwareError(
                f"training ended in epoch {done.epoch + 1}{of}: {message.error_text(done.error)}"
            )
        if done.epoch < epochs and not self._stopped:
            raise FirmwareError(
                f"training ended after epoch {done.epoch}{of} although nothing was wrong;"
                " another program stopped it: train again"
            )
        return done

    # ---- one request, one answer ----

    def _known(self) -> Info:
        return self.info or self.hello()

    def _ask(self, request: Message, kind: type[A], *, restarts: bool = False) -> A:
        self._known()  # nothing is answered before a hello
        sequence = self._line.next_sequence()
        while True:
            try:
                found = self._line.exchange(
                    request, kind, self._timeout, self._tries, sequence=sequence
                )
            except Refused as refused:
                if refused.error == HELLO_FIRST and not restarts:
                    raise self._restarted() from refused
                raise
            except LinkError as error:
                self._reconnect(error)
                continue  # with the same sequence: what was done is not done again
            if found is None:
                raise LinkError(
                    f"the device on {self.link.name!r} did not answer {type(request).__name__} in"
                    f" {self._tries} tries of {self._timeout:g} s{self._line.last_words()}; check"
                    " cable and power, allow more time with a longer timeout, then connect again"
                )
            return found

    def _ask_all(
        self, requests: Sequence[Message], kind: type[A], fits: Callable[[Any, Any], bool]
    ) -> list[tuple[Message, A]]:
        while True:
            try:
                exchange = self._line.exchange_all
                return list(exchange(requests, kind, self._timeout, self._tries, fits))
            except Refused as refused:
                if refused.error == HELLO_FIRST:
                    raise self._restarted() from refused
                raise
            except LinkError as error:
                self._reconnect(error)  # and all of it anew: each may be done twice

    def _restarted(self) -> FirmwareError:
        self._line.forget_events()
        self._channels = None
        self.hello()
        return FirmwareError(
            f"the device on {self.link.name!r} restarted; what it had learnt and not saved is"
            " lost: train again"
        )

    def _reconnect(self, error: LinkError) -> None:
        """Wait until the port is there again and the same device answers."""
        if self._reopen is None or isinstance(error, Unanswered):
            raise error
        deadline = time.monotonic() + self._patience
        if self._on_log is not None:
            self._on_log(f"the link is gone; waiting {self._patience:g} s at most for the device")
        while time.monotonic() < deadline:
            self.link.close()  # else the port would still be held
            try:
                self._line.replace(self._reopen())
                tries = math.ceil(self._open_timeout / self._timeout)
                if self._line.exchange(message.Status(), State, self._timeout, tries):
                    return
            except Refused as refused:
                if refused.error == HELLO_FIRST:
                    raise self._restarted() from refused
                raise
            except LinkError:
                time.sleep(0.2)
        raise error
