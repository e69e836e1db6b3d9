"""Where each byte of RAM and flash goes, and whether it fits, before anything is built."""

from tinydream.budget.again import computed_again
from tinydream.budget.change import Change, changes, check_budget, fitted, stack_lacks
from tinydream.budget.cores import SHARED, Estimate, estimate_code, stack_bound
from tinydream.budget.kernels import kernels
from tinydream.budget.pace import Pace, estimate_pace, work
from tinydream.budget.structs import LAYER_BYTES, WINDOW_BYTES, node_bytes, plan_struct_bytes
from tinydream.budget.use import Use, budget, parts

__all__ = [
    "LAYER_BYTES",
    "SHARED",
    "WINDOW_BYTES",
    "Change",
    "Estimate",
    "Pace",
    "Use",
    "budget",
    "changes",
    "check_budget",
    "computed_again",
    "estimate_code",
    "estimate_pace",
    "fitted",
    "kernels",
    "node_bytes",
    "parts",
    "plan_struct_bytes",
    "stack_bound",
    "stack_lacks",
    "work",
]
