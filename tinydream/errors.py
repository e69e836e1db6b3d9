"""Every exception that tinydream raises, as a tree.

TinydreamError
 |- InputError           a file, table, argument or model is refused          exit code 2
 |   |- DataError        the table or its target
 |   |- BoardError       a board is unknown or its file is wrong
 |   |- PlanError        a plan's bytes are damaged or do not fit together
 |   '- RunError         the run folder lacks a file, or holds a stale or damaged one
 |- BudgetError          it does not fit                                      exit code 1
 |- VerifyError          two things that must be equal are not                exit code 1
 '- DeviceError          no device, no tool, or the link broke                exit code 3
     |- LinkError        bytes cannot be sent or received
     |- FirmwareError    the device reports an error, or runs another plan
     '- BuildError       a compiler or PlatformIO failed or is absent
"""

__all__ = [
    "BoardError",
    "BudgetError",
    "BuildError",
    "DataError",
    "DeviceError",
    "FirmwareError",
    "InputError",
    "LinkError",
    "PlanError",
    "RunError",
    "TinydreamError",
    "VerifyError",
]


class TinydreamError(Exception):
    """Anything tinydream refuses; the message is one sentence for the user."""

    exit_code = 2


class InputError(TinydreamError):
    """A file, table, argument or model is refused."""


class DataError(InputError, ValueError):
    """The table or its target is refused."""


class BoardError(InputError):
    """A board is unknown or its file is wrong."""


class PlanError(InputError, ValueError):
    """A plan's bytes are damaged, or its parts do not fit together."""


class RunError(InputError):
    """The run folder lacks a file, or holds a stale or damaged one."""


class BudgetError(TinydreamError, ValueError):
    """Something does not fit; says region, need, have, over and what to change."""

    exit_code = 1


class VerifyError(TinydreamError):
    """Two things that must be equal are not."""

    exit_code = 1


class DeviceError(TinydreamError):
    """No device, no tool, or the link broke."""

    exit_code = 3


class LinkError(DeviceError):
    """Bytes cannot be sent or received."""


class FirmwareError(DeviceError):
    """The device reports an error, or was built from another plan."""


class BuildError(DeviceError):
    """A compiler or PlatformIO failed or is absent."""
