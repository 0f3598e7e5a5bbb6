"""The page of the rules that data are held against, and of their thresholds."""

from __future__ import annotations

from geoservice.reference.markdown import code, page, table
from loaders.findings import KEPT_PER_RULE
from loaders.rules import RULES, Rule, Severity
from loaders.rules.thresholds import described_thresholds

_SEVERITY = {
    Severity.ERROR: "error: the row is rejected",
    Severity.WARNING: "warning: the row is loaded",
}


def rules_page() -> str:
    """Every rule: what it says, whom it judges, whence it comes and how its breach is mended."""
    intro = (
        "Everything that a load may find fault with.\n"
        "An error rejects its row, which waits in quarantine; a warning is told, and its row is "
        "loaded.\n"
        "`--strict RULE` makes an error of a warning that judges one row by itself.\n"
        f"Counts are exact; of each rule a load keeps the first {KEPT_PER_RULE:,} findings.\n"
        "How to read and mend them: [what a finding means](../how-to/mend-findings.md)."
    )
    thresholds = table(
        ("Threshold", "Value", "What"),
        (
            (code(name), f"{value:g}", described)
            for name, value, described in described_thresholds()
        ),
    )
    said = "`--threshold NAME=VALUE` sets another number for one load."
    parts = [intro, f"## Thresholds\n\n{said}\n\n{thresholds}", *map(_rule, RULES.values())]
    return page("Rules", parts)


def _rule(rule: Rule) -> str:
    judged = ", ".join(map(code, rule.layers)) or "all layers"
    strict = " May be made an error." if rule.promotable else ""
    lines = [
        f"## {rule.id}",
        f"{rule.title.en} {rule.title.zh}",
        f"{_SEVERITY[rule.severity].capitalize()}.{strict}\n"
        f"Judged: {judged}.\nSource: {rule.source}.",
        f"> {rule.sentence.en}\n>\n> {rule.sentence.zh}",
        f"{rule.remedy.en} {rule.remedy.zh}",
    ]
    return "\n\n".join(lines)
