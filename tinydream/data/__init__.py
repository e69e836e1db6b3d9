"""A table and its targets, checked once at the door."""

from tinydream.data.check import check_rows, check_table, raw_dtype
from tinydream.data.columns import CODINGS, Column, left_out
from tinydream.data.rows import read_arrays
from tinydream.data.table import Data, load_data, split
from tinydream.data.target import TASKS

__all__ = [
    "CODINGS",
    "TASKS",
    "Column",
    "Data",
    "check_rows",
    "check_table",
    "left_out",
    "load_data",
    "raw_dtype",
    "read_arrays",
    "split",
]
