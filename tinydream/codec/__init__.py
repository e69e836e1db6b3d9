"""EntroGeDe: a table becomes few weighted representatives that dream its rows."""

from tinydream.codec.baseline import all_rows, random_rows
from tinydream.codec.represent import EntroGeDe, Representatives

__all__ = ["EntroGeDe", "Representatives", "all_rows", "random_rows"]
