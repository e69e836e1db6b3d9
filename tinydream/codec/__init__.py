"""EntroGeDe: a table becomes few weighted representatives that dream its rows."""

from tinydream.codec.baseline import all_rows, random_rows
from tinydream.codec.project import KINDS
from tinydream.codec.represent import EntroGeDe, Representatives

__all__ = ["KINDS", "EntroGeDe", "Representatives", "all_rows", "random_rows"]
