"""Requests and their answers over a link that loses, damages and repeats (SPEC.md, "Requests")."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tinydream.bridge import frame
from tinydream.bridge.answer import EVENTS, Failure, Log
from tinydream.bridge.link import Link
from tinydream.bridge.message import Message, error_text
from tinydream.errors import FirmwareError, LinkError

__all__ = ["Health", "Line", "Refused", "Unanswered"]

A = TypeVar("A", bound=Message)

_OVERHEAD = 9  # bytes of a frame beyond a short body
_IN_FLIGHT = 32  # requests; far fewer than sequences, so that no two answers look alike
_REPEATS = 16  # events that a bad line may bring once more; further behind they are news


class Refused(FirmwareError):
    """The device's error, with its number."""

    def __init__(self, text: str, error: int) -> None:
        super().__init__(text)
        self.error = error


class Unanswered(LinkError):
    """The link is there, and nobody answers on it."""


@dataclass
class Health:
    """How good a line is, seen from the host. Counts, since it was opened."""

    frames: int = 0
    damaged: int = 0  # pieces of the line that were neither frame nor text
    lost_events: int = 0
    repeated: int = 0  # requests that were sent again
    reconnected: int = 0


@dataclass
class _Sent:
    request: Message
    tries: int
    bytes: int
    deadline: float


class Line:
    """One link: frames in order of coming, requests matched with answers, events kept apart.

    room: bytes that may be on their way to the device unanswered; a frame is never longer.
    on_log gets each line of text, whether it came in a frame or between frames.
    """

    def __init__(self, link: Link, on_log: Callable[[str], None] | None = None) -> None:
        self.link = link
        self.health = Health()
        self.room = 64
        self.events: deque[Message] = deque()
        self.last_line = ""  # of text: what a firmware that panicked has to say
        self.decoder = frame.Decoder()
        self._frames: deque[frame.Frame] = deque()
        self._on_log = on_log
        self._sequence = 0
        self._next_event: int | None = None

    def replace(self, link: Link) -> None:
        """Go on over another link to the same device; the old one has been closed."""
        self.link, self.decoder = link, frame.Decoder()
        self._frames.clear()
        self.health.reconnected += 1

    def forget_events(self) -> None:
        self.events.clear()
        self._next_event = None

    # ---- one at a time ----

    def next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) % 256
        return self._sequence

    def exchange(
        self,
        request: Message,
        answer: type[A],
        timeout: float,
        tries: int,
        *,
        sequence: int | None = None,
        extra: bytes = b"",
    ) -> A | None:
        """Send until the answer comes, `tries` times in all; None if it never does.

        extra: sent behind every repetition. Raises Refused when the device refuses it.
        """
        sequence = self.next_sequence() if sequence is None else sequence
        data = frame.encode(request.TYPE, sequence, request.pack())
        for turn in range(tries):
            self.health.repeated += turn > 0
            self.link.write(data + extra if turn else data)
            deadline = time.monotonic() + timeout
            while (left := deadline - time.monotonic()) > 0:
                got = self._next_frame(left)
                if got is None:
                    continue
                if got.sequence == sequence and (
                    found := self._match(got, request.TYPE, answer, request)
                ):
                    return found
                self._keep_event(got)
        return None

    def _match(self, got: frame.Frame, asked: int, answer: type[A], request: Message) -> A | None:
        if got.type == asked + 0x80:
            return answer.unpack(got.body)
        if got.type == Failure.TYPE:
            failure = Failure.unpack(got.body)
            if failure.request == asked:
                raise refusal(self.link.name, request, failure.error)
        return None

    # ---- several at once ----

    def exchange_all(
        self,
        requests: Sequence[Message],
        answer: type[A],
        timeout: float,
        tries: int,
        fits: Callable[[Any, Any], bool],
    ) -> Iterator[tuple[Message, A]]:
        """Each request with its answer, in whatever order they come.

        fits: whether an answer is of this very request; one that is not was given up on long ago.

        As many are on their way as the device has room for. One that is not answered in time is
        halved, if it can be, and sent again. Raises Unanswered after `tries` times without answer,
        LinkError when the link breaks.
        """
        todo = deque((request, 0) for request in requests)
        sent: dict[int, _Sent] = {}
        while todo or sent:
            self._fill(todo, sent, timeout)
            got = self._next_frame(min(one.deadline for one in sent.values()) - time.monotonic())
            if got is not None:
                one = sent.get(got.sequence)
                found = one and self._match(got, one.request.TYPE, answer, one.request)
                if one and found and fits(one.request, found):
                    del sent[got.sequence]
                    now = time.monotonic()  # the line is alive: those behind it have their time
                    for other in sent.values():
                        other.deadline = now + timeout
                    yield one.request, found
                else:
                    self._keep_event(got)
            self._give_up_on_late(todo, sent, tries)

    def _fill(
        self, todo: deque[tuple[Message, int]], sent: dict[int, _Sent], timeout: float
    ) -> None:
        while todo and len(sent) < _IN_FLIGHT:
            body = todo[0][0].pack()
            if sent and sum(x.bytes for x in sent.values()) + len(body) + _OVERHEAD > self.room:
                return
            request, tries = todo.popleft()
            sequence = self.next_sequence()
            data = frame.encode(request.TYPE, sequence, body)
            self.link.write(data)
            sent[sequence] = _Sent(request, tries, len(data), time.monotonic() + timeout)

    def _give_up_on_late(
        self, todo: deque[tuple[Message, int]], sent: dict[int, _Sent], tries: int
    ) -> None:
        now = time.monotonic()
        for sequence in [s for s, one in sent.items() if one.deadline <= now]:
            late = sent.pop(sequence)
            self.health.repeated += 1
            if late.tries + 1 >= tries:
                raise Unanswered(
                    f"the device on {self.link.name!r} did not answer"
                    f" {type(late.request).__name__} in {tries} tries{self.last_words()};"
                    " check cable and power, then connect again"
                )
            todo.extendleft((half, late.tries + 1) for half in reversed(late.request.halves()))

    # ---- events ----

    def next_event(self, timeout: float) -> Message | None:
        deadline = time.monotonic() + timeout
        while not self.events:
            got = self._next_frame(deadline - time.monotonic())
            if got is None:
                return None
            self._keep_event(got)
        return self.events.popleft()

    def _keep_event(self, got: frame.Frame) -> None:
        kind = EVENTS.get(got.type)
        if kind is None:
            return  # an answer that was given up on, or of a later protocol
        ahead = 0 if self._next_event is None else (got.sequence - self._next_event) % 256
        if ahead >= 256 - _REPEATS:
            return  # an earlier one once more
        try:
            event = kind.unpack(got.body)
        except FirmwareError:
            self.health.damaged += 1
            return
        self.health.lost_events += ahead
        self._next_event = (got.sequence + 1) % 256
        if isinstance(event, Log):
            self._log(event.text)
        else:
            self.events.append(event)

    # ---- frames ----

    def _next_frame(self, timeout: float) -> frame.Frame | None:
        deadline = time.monotonic() + max(timeout, 0)
        while not self._frames:
            left = deadline - time.monotonic()
            if left <= 0:
                self._sort(self.decoder.flush())
                return None
            try:
                self._sort(self.decoder.feed(self.link.read(left)))
            except LinkError:
                self._sort(self.decoder.flush())  # last words of a device that died
                raise
        return self._frames.popleft()

    def _sort(self, items: list[frame.Item]) -> None:
        for item in items:
            if isinstance(item, frame.Frame):
                self.health.frames += 1
                self._frames.append(item)
            elif isinstance(item, frame.Damage):
                self.health.damaged += 1
            else:
                self._log(item.text)

    def _log(self, text: str) -> None:
        for line in filter(str.strip, text.splitlines()):
            self.last_line = line
            if self._on_log is not None:
                self._on_log(line)

    def last_words(self) -> str:
        return f", and the text {self.last_line[:200]!r}" if self.last_line else ""

    # ---- sizes ----

    def most(self, payload: int, head: int, each: int) -> int:
        """How many items of `each` bytes a request holds, behind a head of so many."""
        body = min(payload, self.room - _OVERHEAD)
        return max(1, math.floor((body - head) / each))


def refusal(name: str, request: Message, error: int) -> Refused:
    """The sentence for a request that a device refuses."""
    return Refused(f"the device on {name!r} refuses {request}: {error_text(error)}", error)
