"""The house rules: imports go one way, files stay small, one fact has one home."""

import ast
import re
from pathlib import Path

import pytest

from tinydream import errors
from tinydream.plan import FORMAT

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tinydream"
MODULES = sorted(PACKAGE.rglob("*.py"))

# a room may import from the rows above its own and, within its own row, nothing but itself
ROWS = (
    ("errors",),
    ("_core", "reader", "resources"),
    ("inputs", "layer"),
    ("arena", "rows"),
    ("board", "data", "plan", "training"),
    ("store",),
    ("codec", "network"),
    ("budget", "saving", "weights"),
    ("folding", "planner", "refill"),
    ("bridge", "build", "codegen", "simulator"),
    ("doctor", "keras", "report"),
    ("run",),
    ("ports",),
    ("archive", "gather", "sketch", "source", "watch"),
    ("carry", "stages"),
    ("search",),
    ("dashboard", "demo", "flash", "looks", "sizing"),
    ("fleet",),
    ("__init__",),
    ("cli",),
)
LEVEL = {room: level for level, row in enumerate(ROWS) for room in row}

# libraries that only these files know; a name ending in / is a folder
ONLY = {
    "click": ("cli/",),
    "ai_edge_litert": ("keras/",),
    "jinja2": ("codegen/", "report/"),
    "keras": ("network/quiet.py",),
    "platformio": ("build.py",),
    "rich": ("cli/",),
    "serial": ("bridge/link.py", "bridge/plugged.py"),
    "starlette": ("dashboard/",),
    "tensorboardX": ("watch/",),
    "tensorflow": ("keras/", "network/quiet.py"),
    "uvicorn": ("dashboard/",),
}

LINES = 400  # of a file


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it; `from tinydream import x` is x's room."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import from tinydream by its full name"
            found.add(node.module)
            if node.module == "tinydream":
                found |= {f"tinydream.{alias.name}" for alias in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    rooms = {module.split(".")[1] for module in imports(path) if module.startswith("tinydream.")}
    return {each if each in LEVEL else "__init__" for each in rooms}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_go_one_way(path):
    here = room(path)
    assert here in LEVEL, f"tinydream/{here} has no place in ROWS; give it one, in DESIGN.md too"
    for other in rooms_imported(path) - {here}:
        assert LEVEL[other] < LEVEL[here], f"{name(path)} must not import tinydream.{other}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_libraries_are_known_only_where_they_are_used(path):
    for library in {module.split(".")[0] for module in imports(path)} & ONLY.keys():
        places = ONLY[library]
        assert name(path).startswith(places), f"{library} belongs in {' and '.join(places)}"


def test_errors_imports_nothing():
    assert imports(PACKAGE / "errors.py") == set()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_begins_with_a_sentence_and_lists_its_public_names_in_order(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    first = (ast.get_docstring(tree) or "").split("\n")[0]
    assert first, "a module says in one sentence what it is for"
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
            # constants, then classes, then functions: as ruff sorts them
            assert names == sorted(names, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
            return
    public = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert not [each for each in public if not each.startswith("_")], "__all__ is missing"


def sources() -> list[Path]:
    folders = [PACKAGE, ROOT / "firmware", ROOT / "tests", ROOT / "scripts"]
    endings = {".c", ".h", ".j2", ".py", ""}
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    hidden = {".pio", "__pycache__", "vectors", "golden"}
    return [f for f in files if f.suffix in endings and not hidden & set(f.parts)]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LINES, f"{lines} lines; more than {LINES} are two rooms"


def test_the_tree_of_errors_in_the_docstring_is_the_tree_of_classes():
    drawn = re.findall(r"^[ |']*-? ?(\w+Error)\b", errors.__doc__, re.M)
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    assert sorted(drawn) == sorted(each.__name__ for each in classes) == errors.__all__
    for each in classes:
        line = next(
            line for line in errors.__doc__.splitlines() if f"{each.__name__} " in line + " "
        )
        depth = len([c for c in each.__mro__ if issubclass(c, errors.TinydreamError)]) - 1
        assert line.index(each.__name__) == 4 * depth or depth == 0, each.__name__


@pytest.mark.parametrize("each", errors.__all__)
def test_each_error_has_an_exit_code_that_the_tree_tells(each):
    assert getattr(errors, each).exit_code in (1, 2, 3)


def test_host_and_core_speak_of_the_same_format():
    config = (ROOT / "firmware/lib/tinydream/src/td_config.h").read_text(encoding="utf-8")
    assert int(re.search(r"#define TD_FORMAT (\d+)", config)[1]) == FORMAT


def test_the_version_is_the_same_wherever_it_stands():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', project, re.M)[1]
    for place in ("lib/tinydream/library.json", "platform/tinydream/platform.json"):
        assert f'"version": "{version}"' in (ROOT / "firmware" / place).read_text(encoding="utf-8")


def test_the_core_uses_no_heap_no_library_and_no_double():
    for path in (ROOT / "firmware/lib/tinydream/src").glob("*.[ch]"):
        text = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
        headers = set(re.findall(r"#include <(.+)>", text))
        assert headers <= {"stddef.h", "stdint.h"}, f"{path.name} includes {headers}"
        assert not re.search(r"\b(double|malloc|calloc|free|setjmp)\b", text), path.name
