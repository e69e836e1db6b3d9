"""Devices that learn, watched: what they tell as events, and sinks that take them."""

from tinydream.watch.event import Event, Teller
from tinydream.watch.follow import Follower, Watch
from tinydream.watch.seen import Seen, Track
from tinydream.watch.sinks import Csv, JsonLines, Lines, Sink, Teleplot, epoch_line, step_time
from tinydream.watch.tensorboard import TensorBoard

__all__ = [
    "Csv",
    "Event",
    "Follower",
    "JsonLines",
    "Lines",
    "Seen",
    "Sink",
    "Teleplot",
    "Teller",
    "TensorBoard",
    "Track",
    "Watch",
    "epoch_line",
    "step_time",
]
