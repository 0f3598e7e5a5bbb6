"""A statement of ours run by pgbench, prepared, with the parameters of a list in turn.

pgbench's variables are numbers, or texts that stay as they are. A list of parameters is therefore
written into the script as a tree of conditions on the turn that ends in one packed number each: ten
comparisons for a thousand entries, far below a microsecond.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from children import ChildFailed

_MAY_LAST_S = 1800
_PACKED_BITS = 62
_TPS = re.compile(r"^tps = ([\d.]+) \(without initial connection time\)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)
_BIND = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class PackedList:
    """A list of parameters of whole numbers of 0 or more, each row packed into few numbers.

    Attributes:
        names: Of the parameters, in order.
        rows: Their values.
        divisors: What each is divided by after unpacking; 1 leaves it a whole number.
    """

    names: tuple[str, ...]
    rows: Sequence[tuple[int, ...]]
    divisors: tuple[int, ...]

    def example(self) -> dict[str, str]:
        """The parameters of the first row, as texts."""
        numbers = zip(self.rows[0], self.divisors, strict=True)
        return dict(zip(self.names, (str(n / d) for n, d in numbers), strict=True))

    def script_lines(self, clients: int) -> list[str]:
        """The lines that set the parameters of this turn.

        The clients share the list; from pass to pass each moves on by one, so that none has the
        dear entries all the time.
        """
        count = len(self.rows)
        lines = [
            "\\set turn :step * :clients + :client_id",
            f"\\set turn (:turn + :turn / {count}) % {count}",
            "\\set step :step + 1",
        ]
        for group in self._groups():
            lines.append(f"\\set packed {_tree([self._pack(row, group) for row in self.rows], 0)}")
            for place in reversed(group):
                bits, divisor = self._bits(place), self.divisors[place]
                number = f":packed & {2**bits - 1}"
                value = f"({number}) / {divisor}.0" if divisor > 1 else number
                lines.append(f"\\set {self.names[place]} {value}")
                lines.append(f"\\set packed :packed >> {bits}")
        return lines

    def _groups(self) -> list[list[int]]:
        """The places of the parameters, those together that go into one number."""
        groups: list[list[int]] = [[]]
        for place in range(len(self.names)):
            if sum(map(self._bits, [*groups[-1], place])) > _PACKED_BITS:
                groups.append([])
            groups[-1].append(place)
        return groups

    def _bits(self, place: int) -> int:
        return max(1, *(row[place].bit_length() for row in self.rows))

    def _pack(self, row: tuple[int, ...], group: Sequence[int]) -> int:
        packed = 0
        for place in group:
            if row[place] < 0:
                message = f"{self.names[place]} is {row[place]}, which is below 0"
                raise ValueError(message)
            packed = packed << self._bits(place) | row[place]
        return packed


@dataclass(frozen=True)
class PgbenchRun:
    """What pgbench measured: transactions in a second, and the time of each with one client."""

    per_second: float
    latencies_s: tuple[float, ...]


def as_pgbench(statement: str) -> str:
    """A statement of psycopg's form (``%(name)s``) in pgbench's (``:name``)."""
    return _BIND.sub(r":\1", statement).replace("%%", "%")


def run_pgbench(
    program: str,
    url: str,
    statement: str,
    parameters: PackedList,
    *,
    constants: Mapping[str, str],
    clients: int,
    transactions: int,
) -> PgbenchRun:
    """Run a prepared statement with each row of the parameters equally often.

    Args:
        statement: In pgbench's form, without a semicolon.
        constants: Parameters that stay the same, as texts.
        clients: Connections at once.
        transactions: Of all clients together; rounded up to a multiple of them.

    Raises:
        ChildFailed: pgbench ended badly, or a transaction failed.
    """
    lines = [*parameters.script_lines(clients), f"{statement};", ""]
    with tempfile.TemporaryDirectory(prefix="geoservice-pgbench-") as folder:
        script = Path(folder) / "script.sql"
        script.write_text("\n".join(lines))
        command = [program, "-n", "-M", "prepared", "-f", str(script), "-c", str(clients)]
        command += ["-j", "1", "-t", str(-(-transactions // clients))]
        for name, value in {"step": "0", "clients": str(clients), **constants}.items():
            command += ["-D", f"{name}={value}"]
        if clients == 1:
            command += ["--log", "--log-prefix", f"{folder}/log"]
        done = subprocess.run(
            [*command, url], check=False, capture_output=True, text=True, timeout=_MAY_LAST_S
        )
        logs = sorted(Path(folder).glob("log*"))
        latencies = tuple(latency for log in logs for latency in _latencies(log))
    return PgbenchRun(_transactions_per_second(done), latencies)


def _transactions_per_second(done: subprocess.CompletedProcess[str]) -> float:
    found, failed = _TPS.search(done.stdout), _FAILED.search(done.stdout)
    if done.returncode != 0 or found is None or (failed and failed[1] != "0"):
        message = f"pgbench failed. It says:\n{(done.stdout + done.stderr)[-1000:]}"
        raise ChildFailed(message)
    return float(found[1])


def _latencies(log: Path) -> list[float]:
    """Of pgbench's log the third column: microseconds of each transaction, here in seconds."""
    return [float(line.split()[2]) / 1e6 for line in log.read_text().splitlines()]


def _tree(values: Sequence[int], first: int) -> str:
    """An expression that gives the value of a turn by halving the list again and again."""
    if len(values) == 1:
        return str(values[0])
    half = len(values) // 2
    lower, upper = _tree(values[:half], first), _tree(values[half:], first + half)
    return f"case when :turn < {first + half} then {lower} else {upper} end"
