"""A local page that watches devices learn, and starts and stops them."""

from tinydream.dashboard.server import serve

__all__ = ["serve"]
