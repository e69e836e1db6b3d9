"""EntroGeDe: rows to base bits, bases to representatives, and a model of their deviations."""

from tinydream.codec.represent import EntroGeDe, Representatives

__all__ = ["EntroGeDe", "Representatives"]
