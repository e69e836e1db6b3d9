"""Planned, linked, observed: what a run came to, as a record and as JSON."""

from tinydream.report.compare import accuracy_of, baseline_accuracy
from tinydream.report.report import SCHEMA, Report, make_report

__all__ = ["SCHEMA", "Report", "accuracy_of", "baseline_accuracy", "make_report"]
