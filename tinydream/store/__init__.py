"""The lossless store: rows in a fraction of their bytes, any of them at once."""

from tinydream.store.store import Store, load_store, make_store, write_store

__all__ = ["Store", "load_store", "make_store", "write_store"]
