"""Event files for TensorBoard, written by tensorboardX (extra `tensorboard`)."""

import re
from pathlib import Path, PurePath
from typing import Any

from tinydream.errors import InputError
from tinydream.watch.event import Event

__all__ = ["TensorBoard"]

# what TensorBoard shows, under the names by which it groups them
TAGS = {
    "loss": "loss/drawn",
    "valid_loss": "loss/validation",
    "accuracy": "accuracy/drawn",
    "step_ticks": "time/step_ticks",
}


class TensorBoard:
    """Scalars by epoch in FOLDER/<port>, or <port>-2, -3 ... for later runs of the same device."""

    def __init__(self, folder: str) -> None:
        """Raises InputError without tensorboardX, or when the folder cannot be written."""
        try:
            import tensorboardX
        except ImportError:
            raise InputError(
                "--tensorboard needs tensorboardX; run `pip install 'tinydream[tensorboard]'`"
            ) from None
        self._writer = tensorboardX.SummaryWriter
        self._folder = Path(folder)
        self._open: dict[str, Any] = {}
        self._runs: dict[str, int] = {}
        self._epoch: dict[str, int] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder} cannot be written: {error.strerror or error}") from None

    def take(self, event: Event) -> None:
        if event.kind != "epoch":
            return
        told, name = event.values, event.device
        epoch = int(told["epoch"])
        if name not in self._open or epoch <= self._epoch[name]:
            self._begin(name)
        self._epoch[name] = epoch
        for key, tag in TAGS.items():
            if key in told and (key != "valid_loss" or told["valid_rows"]):
                self._open[name].add_scalar(tag, float(told[key]), epoch, event.time)
        self._open[name].flush()

    def _begin(self, name: str) -> None:
        if name in self._open:
            self._open[name].close()
        self._runs[name] = run = self._runs.get(name, 0) + 1
        place = re.sub(r"[^\w.-]", "_", PurePath(name).name) + (f"-{run}" if run > 1 else "")
        self._open[name] = self._writer(str(self._folder / place))

    def close(self) -> None:
        for writer in self._open.values():
            writer.close()
