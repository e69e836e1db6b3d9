"""report.html: one page that holds together, whatever names are in it and whatever is absent."""

import html.parser
import re
import subprocess

import numpy as np
import pytest

from tinydream.errors import InputError
from tinydream.report import draw
from tinydream.report.elf import read_elf
from tinydream.run import Run

SECTIONS = ["compressed", "representatives", "memory", "learning", "heldout", "comparison"]
VOID = {"meta", "link", "br", "hr", "img", "input", "col"}


class Page(html.parser.HTMLParser):
    """Checks that tags are closed in order; keeps ids, links and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.text, self.tags = [], [], [], [], []
        self.unlabelled = 0
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.tags.append(tag)
        self.ids += [told["id"]] if "id" in told else []
        self.links += [told[k] for k in ("src", "href", "xlink:href") if k in told]
        self.unlabelled += tag == "svg" and not (told.get("aria-label") or "aria-hidden" in told)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def reported(planned):
    """A run that was trained in the simulator and reported; the verbs, to go on."""
    assert planned("train", "--port", "sim")[0] == 0
    assert planned("report")[0] == 0
    return planned


def page():
    return Page(Run("run").read("report.html").decode())


def test_the_page_is_well_formed_complete_labelled_and_needs_nothing_from_elsewhere(reported):
    seen = page()
    assert [name for name in SECTIONS if name in seen.ids] == SECTIONS
    assert seen.unlabelled == 0 and "script" not in seen.tags
    assert all(link.startswith(("#", "data:")) for link in seen.links)
    assert len(Run("run").read("report.html")) < 400_000


def test_the_same_run_gives_the_same_bytes_without_the_name_of_a_folder(reported, tmp_path):
    first = Run("run").read("report.html")
    assert reported("report")[0] == 0
    assert Run("run").read("report.html") == first
    assert str(tmp_path) not in first.decode()


def test_the_figures_of_the_page_are_those_of_the_json(reported):
    text = " ".join(page().text)
    told = Run("run").read_json("report.json")
    for figure in (told["digest"], told["weights_crc32"], f"{told['arena_bytes']:,}"):
        assert figure in text


def test_a_page_without_log_baselines_and_entropy_leaves_their_sections_out(reported):
    for name in ("log.jsonl", "entropy.npz"):
        Run("run").path(name).unlink()
    assert reported("report", "--no-baselines")[0] == 0
    seen = page()
    assert "learning" not in seen.ids and {"memory", "heldout"} <= set(seen.ids)


def test_names_of_a_table_cannot_become_markup(verb, tmp_path):
    evil = "<script>alert(1)</script>"
    rng = np.random.default_rng(0)
    rows = [f"{v:.3f},{w:.3f},{[evil, 'b&b'][int(v > 0)]}" for v, w in rng.normal(size=(200, 2))]
    (tmp_path / "t.csv").write_text("\n".join([f"{evil},<b>x,{evil}y", *rows]) + "\n")
    for arguments in (
        ["compress", "t.csv", "--budget-bytes", "300"],
        ["plan", "--board", "native", "--epochs", "2"],
        ["train", "--port", "sim"],
        ["report"],
    ):
        assert verb(*arguments)[0] == 0
    seen = page()
    assert "script" not in seen.tags and any(evil in text for text in seen.text)


def test_a_damaged_log_or_entropy_is_named(reported):
    good = Run("run").read("log.jsonl")
    Run("run").write("log.jsonl", good[:-9])
    code, out, err = reported("report")
    assert code == 2 and "log.jsonl is damaged" in err and err.count("\n") == 1
    Run("run").write("log.jsonl", good)
    Run("run").write_arrays("entropy.npz", bits=np.zeros(3), values=np.zeros(2))
    code, out, err = reported("report")
    assert code == 2 and "entropy.npz is damaged" in err and err.count("\n") == 1


# ---- what was linked ----


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elf")
    (folder / "a.c").write_text("int data[500] = {1}; int bss[250]; int main(void) { return 0; }")
    subprocess.run(["cc", "a.c", "-o", "a"], cwd=folder, check=True)
    return (folder / "a").read_bytes(), folder / "a"


@pytest.mark.needs("cc")
def test_sizes_of_a_program_are_those_that_size_tells(program):
    data, path = program
    told = subprocess.run(["size", path], capture_output=True, text=True, check=True).stdout
    text, initialised, zeroed = map(int, told.split()[6:9])
    linked = read_elf(data)
    assert linked.flash == text + initialised and linked.ram == initialised + zeroed


@pytest.mark.needs("cc")
def test_a_damaged_program_is_refused_or_read_and_never_breaks_the_report(program):
    data, _ = program
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(data), 400).tolist():
        bad = bytearray(data)
        bad[at] ^= 1 << int(rng.integers(8))
        for damaged in (data[:at], bytes(bad)):
            try:
                assert read_elf(damaged).flash >= 0
            except InputError as error:
                assert "program" in str(error)


# ---- drawing ----


def test_parts_of_a_stack_fill_its_width_and_labels_are_escaped():
    text = draw.stack([("a<b", 30, "c1"), ("d", 70, "c2")], 100, 'all "of" it')
    assert "a<b" not in text and "&lt;" in text and Page(str(text)).unlabelled == 0
    widths = [float(w) for w in re.findall(r'<rect class="c\d"[^>]* width="([\d.]+)"', text)]
    assert widths == [300, 700]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.91, 0.99), (-3, 1e6), (5, 5)])
def test_ticks_are_few_ordered_and_inside(low, high):
    ticks = draw.ticks(low, high)
    assert ticks == sorted(ticks) and 0 < len(ticks) <= 8
    assert all(low <= tick <= high for tick in ticks) or low == high
