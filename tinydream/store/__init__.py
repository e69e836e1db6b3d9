"""The lossless store: rows in a fraction of their bytes, any of them at once."""

from tinydream.store.explain import Column, explain
from tinydream.store.store import Store, load_store, make_store, write_store

__all__ = ["Column", "Store", "explain", "load_store", "make_store", "write_store"]
