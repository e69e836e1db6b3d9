"""The compiled extension: the firmware's C core and the codec's hot loops."""

from typing import Any

def __getattr__(name: str) -> Any: ...
