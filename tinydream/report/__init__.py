"""Planned, linked, observed: what a run came to, as a record, JSON and a page."""

from tinydream.report.compare import accuracy_of, baseline_accuracy
from tinydream.report.elf import Linked, read_elf
from tinydream.report.evidence import Entropy, Evidence, Heldout, Likeness
from tinydream.report.page import make_page, stylesheet
from tinydream.report.report import SCHEMA, Report, make_report

__all__ = [
    "SCHEMA",
    "Entropy",
    "Evidence",
    "Heldout",
    "Likeness",
    "Linked",
    "Report",
    "accuracy_of",
    "baseline_accuracy",
    "make_page",
    "make_report",
    "read_elf",
    "stylesheet",
]
