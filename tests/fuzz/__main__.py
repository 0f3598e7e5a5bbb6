"""``make fuzz``: the long form, by time or by count; ends with 1 where an input did harm."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from tests.fuzz.corpus import KINDS
from tests.fuzz.runner import Summary, run, run_kind, save


def main() -> int:
    """Feed damaged files, print what came of them, and save those that did harm."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--kinds", default=",".join(KINDS), help="formats, joined by commas")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--count", type=int, help="inputs of each format, instead of a time")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--save", type=Path, default=Path("test-results/fuzz"))
    options = parser.parse_args()
    names = [name for name in options.kinds.split(",") if name in KINDS]
    print(f"seed {options.seed}", flush=True)
    if options.count:
        done = [run_kind(name, options.seed, options.count) for name in names]
    else:
        done = run(names, options.seed, options.minutes * 60)
    return max([_report(one, options.seed, options.save) for one in done], default=0)


def _report(summary: Summary, seed: int, folder: Path) -> int:
    print(summary, flush=True)
    for why, count in summary.broke_down.most_common():
        print(f"    contained, {count:,} times: {why}")
    for number, why in summary.failures.items():
        print(f"    FAILED {save(summary.kind, seed, number, folder)}: {why}")
    return 1 if summary.failures else 0


if __name__ == "__main__":
    sys.exit(main())
