"""tinydream: train more with less, on microcontrollers.

    data -> codec -> network -> planner -> PLAN -> codegen -> firmware -> bridge -> report

The names below are the public ones; DESIGN.md says what each room does.
"""

from tinydream.board import Board, list_boards, load_board
from tinydream.bridge import Device
from tinydream.codec import EntroGeDe, Representatives
from tinydream.codegen import generate, write_project
from tinydream.data import Data, load_data
from tinydream.errors import (
    BoardError,
    BudgetError,
    BuildError,
    DataError,
    DeviceError,
    FirmwareError,
    InputError,
    LinkError,
    PlanError,
    RunError,
    TinydreamError,
    VerifyError,
)
from tinydream.folding import fold_batch_norms
from tinydream.network import (
    SGD,
    Adam,
    Add,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Depthwise,
    Dropout,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    LeakyRelu,
    MaxPool,
    Network,
    Relu,
    Relu6,
    Sigmoid,
    Softmax,
    Tanh,
)
from tinydream.plan import Plan
from tinydream.planner import make_plan
from tinydream.report import Report, make_report
from tinydream.run import Run
from tinydream.search import search
from tinydream.simulator import Simulator
from tinydream.store import Store, load_store, make_store
from tinydream.training import Knobs, Metrics

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Adam",
    "Add",
    "AveragePool",
    "BatchNorm",
    "Board",
    "BoardError",
    "BudgetError",
    "BuildError",
    "Conv",
    "Data",
    "DataError",
    "Dense",
    "Depthwise",
    "Device",
    "DeviceError",
    "Dropout",
    "EntroGeDe",
    "FirmwareError",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "InputError",
    "Knobs",
    "LeakyRelu",
    "LinkError",
    "MaxPool",
    "Metrics",
    "Network",
    "Plan",
    "PlanError",
    "Relu",
    "Relu6",
    "Report",
    "Representatives",
    "Run",
    "RunError",
    "Sigmoid",
    "Simulator",
    "Softmax",
    "Store",
    "Tanh",
    "TinydreamError",
    "VerifyError",
    "fold_batch_norms",
    "generate",
    "list_boards",
    "load_board",
    "load_data",
    "load_store",
    "make_plan",
    "make_report",
    "make_store",
    "search",
    "write_project",
]
