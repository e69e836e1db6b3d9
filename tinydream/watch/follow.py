"""Devices followed as long as one likes: a thread each, reconnected when they come back."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tinydream.bridge import Device, Done, Link, Metrics
from tinydream.bridge.answer import Paused
from tinydream.errors import DeviceError, LinkError, TinydreamError
from tinydream.training import Knobs
from tinydream.watch.event import Event, Teller

__all__ = ["Follower", "Watch"]

SLICE = 0.1  # seconds a request may wait behind listening
SILENCE = 2.0  # seconds without news after which a device is asked how far it is
RETRY = 0.5  # seconds between two attempts to reach a device that has gone

Opener = Callable[[], Link]


class Follower:
    """One device, listened to in a thread of its own.

    `tell` gets its events. Requests (start, stop, ...) are done between two of them; what they
    come to is told as events. patient: a device that is not there yet is waited for; otherwise
    `failed` is called with the error. Once it was there, it is always waited for.
    """

    def __init__(
        self,
        name: str,
        open_link: Opener,
        tell: Callable[[Event], object],
        failed: Callable[[BaseException], object],
        patient: bool = False,
    ) -> None:
        self.name = name
        self._open_link, self._failed, self._patient = open_link, failed, patient
        self._teller = Teller(name, tell)
        self._asked: queue.SimpleQueue[Callable[[Device], object]] = queue.SimpleQueue()
        self._end = threading.Event()
        self._link: Link | None = None
        self._why = ""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    # ---- requests ----

    def start(self, knobs: Knobs, weights: NDArray[np.float32] | None = None) -> None:
        """Begin a run from these weights; None: from new ones."""

        def start(device: Device) -> None:
            if weights is not None:
                device.push(weights)
            device.start(knobs, fresh=weights is None)

        self._asked.put(start)

    def stop(self) -> None:
        """End the run."""
        self._asked.put(lambda device: device.stop())

    def pause(self) -> None:
        """Hold the run between two updates."""
        self._asked.put(lambda device: self._teller.state(device.pause()))

    def resume(self) -> None:
        """Let a paused run go on."""

        def resume(device: Device) -> None:
            device.resume()
            self._teller.state(device.status())

        self._asked.put(resume)

    def save(self) -> None:
        """Keep the weights on the device over a power cut."""

        def save(device: Device) -> None:
            device.save()
            self._teller.log("the weights are saved on the board")

        self._asked.put(save)

    def pull(self, keep: Callable[[bytes, NDArray[np.float32]], object]) -> None:
        """Give the plan's digest and the weights to `keep`, in this device's thread."""

        def pull(device: Device) -> None:
            weights = device.pull()
            if device.info is not None:
                keep(device.info.digest, weights)

        self._asked.put(pull)

    def close(self) -> None:
        """Stop listening; a device on a wire goes on as it is."""
        self._end.set()
        if self._link is not None:
            self._link.close()  # wakes a thread that waits for its bytes
        self._thread.join(5)

    # ---- the thread ----

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                self._once()
        except BaseException as error:
            if not self._end.is_set():  # else the link was closed under our feet
                self._failed(error)

    def _once(self) -> None:
        try:
            self._link = self._open_link()
            tell = self._teller
            with Device.open(self._link, on_log=tell.log, on_values=tell.values) as device:
                self._patient, self._why = True, ""
                self._follow(device)
        except DeviceError as error:
            if not self._patient:
                raise
            if not self._end.is_set() and str(error) != self._why:
                self._why = str(error)
                self._teller.down(error)
            while not self._asked.empty():
                self._asked.get()  # what was asked of a device that has gone
            self._end.wait(RETRY)

    def _follow(self, device: Device) -> None:
        self._teller.opened(device)
        self._teller.state(device.status())
        heard = time.monotonic()
        while not self._end.is_set():
            self._obey(device)
            news = device.listen(SLICE)
            if isinstance(news, Metrics):
                self._teller.epoch(news, device)
            elif isinstance(news, Done):
                self._teller.done(news)
            elif isinstance(news, Paused):
                self._teller.state(device.status())
            elif time.monotonic() - heard > SILENCE:
                self._teller.state(device.status())
            elif news is None:
                continue
            heard = time.monotonic()
            self._teller.link(device)

    def _obey(self, device: Device) -> None:
        while not self._asked.empty():
            try:
                self._asked.get()(device)
            except LinkError:
                raise
            except TinydreamError as error:
                self._teller.say("refused", why=str(error))


class Watch:
    """Several devices at once; their events come out in one place, in the caller's thread."""

    def __init__(self, links: Mapping[str, Opener], *, patient: bool = False) -> None:
        """links: how each device is reached, by its port. patient: see `Follower`."""
        self._queue: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
        put = self._queue.put
        self.followers = {
            name: Follower(name, open_link, put, put, patient) for name, open_link in links.items()
        }

    def events(self, *, until_done: bool = False) -> Iterator[Event]:
        """Events as they come; until_done: up to when no device is training any more.

        Raises LinkError when a device cannot be reached at the beginning.
        """
        busy = dict.fromkeys(self.followers, True)
        while any(busy.values()) or not until_done:
            item = self._queue.get()
            if isinstance(item, BaseException):
                raise item
            yield item
            if item.kind in ("epoch", "state", "done"):
                busy[item.device] = item.kind == "epoch" or bool(item.values.get("running"))

    def close(self) -> None:
        """Stop watching; devices on a wire go on as they are."""
        for follower in self.followers.values():
            follower.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
