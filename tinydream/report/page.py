"""The page that people look at: one file of HTML, without script, network or font of its own."""

from typing import TYPE_CHECKING

from tinydream.report import sections
from tinydream.report.evidence import Evidence
from tinydream.report.lives import lives
from tinydream.report.portraits import portraits

if TYPE_CHECKING:
    import jinja2

__all__ = ["make_page", "stylesheet"]


def make_page(evidence: Evidence) -> str:
    """The report as one HTML page; the same evidence, the same text.

    A section is there when its evidence is. Names of features and classes are escaped.
    """
    report = evidence.report
    rivals = ("all_rows", "random_rows")
    facts = {
        "e": evidence,
        "report": report,
        "plan": evidence.plan,
        "facts": evidence.facts,
        "scored": "R²" if evidence.regression else "accuracy",
        "score": {k: sections.score(evidence, v) for k, v in report.accuracy.items()},
        "spread": {k: sections.spread(evidence, v) for k, v in report.accuracy.items()},
        "has_rivals": any(report.accuracy.get(name) for name in rivals),
        "ratio": report.raw_bytes / report.representative_bytes,
        "network": sections.network(evidence) if evidence.plan else "",
        "entropy": sections.entropy(evidence),
        "portraits": portraits(evidence),
        "memory": sections.memory(evidence),
        "costs": sections.costs(evidence),
        "lives": lives(evidence.plan) if evidence.plan else [],
        "learning": sections.learning(evidence),
        "heldout": sections.heldout(evidence),
        "comparison": sections.comparison(evidence),
    }
    return _environment().get_template("page.html.j2").render(facts)


def stylesheet() -> str:
    """The page's colours, type and layout as CSS, for other pages that should look like it."""
    return _environment().get_template("style.css").render()


def _environment() -> "jinja2.Environment":
    import jinja2  # here: it takes 30 ms that most verbs need not wait

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tinydream.report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    environment.filters.update(thousands=lambda value: f"{value:,}")
    return environment
