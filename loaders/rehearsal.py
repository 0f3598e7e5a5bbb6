"""What a load would reject, row by row: everything but the database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from layers.base import Layer
from loaders.findings import reason_word
from loaders.options import LoadOptions
from loaders.pipeline import Pipeline
from loaders.report import Example, column_of
from loaders.source import Source

_EXAMPLES = 10


@dataclass(frozen=True)
class Rehearsal:
    """What reading a file into a layer found; checks across rows need a load.

    Attributes:
        reasons: How many rows would be rejected for each reason; a row may have several.
        repaired: Rows whose geometry would be repaired.
    """

    read: int
    rejected: int
    repaired: int
    reasons: Counter[str]
    examples: tuple[Example, ...]

    def as_json(self) -> dict[str, object]:
        """Plain dictionaries and lists."""
        return {
            "read": self.read,
            "rejected": self.rejected,
            "repaired": self.repaired,
            "reasons": dict(self.reasons.most_common()),
            "examples": [example.as_json() for example in self.examples],
        }


def rehearse(layer: Layer, source: Source, options: LoadOptions, folder: Path) -> Rehearsal:
    """Read a source into a layer and write nothing.

    Args:
        folder: Private folder of the source; the caller removes it.

    Raises:
        SourceError: it cannot be read or does not fit the layer.
    """
    pipeline = Pipeline(layer, options, None, folder)
    reasons: Counter[str] = Counter()
    examples: list[Example] = []
    rejected = repaired = 0
    for batch in pipeline.of_source(source):
        repaired += batch.repaired
        rejected += len(batch.rejected)
        for row in batch.rejected:
            reasons.update({reason_word(reason) for reason in row.reasons})
            if len(examples) < _EXAMPLES:
                first = row.reasons[0]
                examples.append(Example(row.row_number, row.natural_key, column_of(first), first))
    return Rehearsal(pipeline.rows_read, rejected, repaired, reasons, tuple(examples))
