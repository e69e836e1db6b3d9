"""The command line: verbs, tables, exit codes."""

import errno
import os
import sys
import tempfile
import traceback

import click

from tinydream.cli.verbs import verbs
from tinydream.errors import TinydreamError

__all__ = ["main"]

# what the system says when nothing more can be written
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> None:
    """Run one verb; exit codes: 0 done, 1 no, 2 refused, 3 no device, 70 our bug, 130 Ctrl-C."""
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    try:
        code = verbs.main(arguments, prog_name="tinydream", standalone_mode=False)
        sys.stdout.flush()  # what cannot be written is told here, not while Python ends
    except TinydreamError as error:
        return _say(str(error), error.exit_code)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _say(_sentence(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", 130)
    except BrokenPipeError:  # `tinydream ... | head`
        _drop_output()
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            _drop_output()
            where = f"{error.filename} " if error.filename else "the output "
            return _say(f"{where}cannot be written: {error.strerror}; make room, then again", 2)
        return _say(f"{type(error).__name__}, a bug of tinydream; please report {_log()}", 70)
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """What is still buffered goes nowhere, so that Python does not try once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: click.ClickException) -> str:
    """Click's refusal as the rest of ours: one line, and where to read on."""
    text = " ".join(error.format_message().split()).rstrip(".").replace(". (", " (")
    first, *rest = (part[:1].lower() + part[1:] for part in text.split(". "))
    if not text.endswith(("?", "?)")):
        context = getattr(error, "ctx", None)
        rest.append(f"see `{context.command_path if context else 'tinydream'} --help`")
    return "; ".join([first, *rest])


def _say(text: str, code: int) -> int:
    print(f"tinydream: {text}", file=sys.stderr)
    return code


def _log() -> str:
    with tempfile.NamedTemporaryFile("w", prefix="tinydream-", suffix=".log", delete=False) as file:
        traceback.print_exc(file=file)
    return file.name
