"""The result of a measurement, and its formats: a line of a table, an object of a JSON file."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

COLUMNS = "{:<22} {:>4} {:>10} {:>10} {:>7} {:>14}  {}"


@dataclass(frozen=True)
class Outcome:
    """One line: the figures of the service and of the baseline, and the target of their ratio.

    Without a baseline, the target applies to the figure itself. Without a target, the figure is for information.
    ``at_least`` marks a target that is a lower bound. ``most`` bounds the figure itself, too.
    """

    name: str
    unit: str
    ours: float
    baseline: float | None
    target: float | None
    at_least: bool = False
    most: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over the baseline."""
        return None if self.baseline is None else self.ours / self.baseline

    @property
    def is_met(self) -> bool:
        """Whether the target is met, if there is one."""
        if self.most is not None and self.ours > self.most:
            return False
        if self.target is None:
            return True
        figure = self.ours if self.ratio is None else self.ratio
        return figure >= self.target if self.at_least else figure <= self.target

    def line(self) -> str:
        """Return this outcome as a line under ``HEADING``."""
        baseline = "" if self.baseline is None else f"{self.baseline:.2f}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        target = "" if self.target is None else f"{'>=' if self.at_least else '<='}{self.target:g}"
        if self.most is not None:
            target += f", <={self.most:g} {self.unit}"
        mark = "" if self.target is None else "pass" if self.is_met else "FAIL"
        return COLUMNS.format(self.name, self.unit, f"{self.ours:.2f}", baseline, ratio, target, mark)


HEADING = COLUMNS.format("measurement", "unit", "ours", "baseline", "ratio", "target", "mark")


def summarise(outcomes: Sequence[Outcome]) -> str:
    """Return the last line: which targets are met."""
    missed = [outcome.name for outcome in outcomes if not outcome.is_met]
    met = len(outcomes) - len(missed)
    return f"{met} of {len(outcomes)} targets met" + (f"; missed: {', '.join(missed)}" if missed else "")


def write_json(path: Path, outcomes: Sequence[Outcome], settings: dict[str, Any]) -> None:
    """Write ``outcomes`` with the circumstances they were measured in."""
    circumstances = {
        **settings,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "processors": os.cpu_count(),
        "load_average": os.getloadavg(),
    }
    results = [asdict(each) | {"ratio": each.ratio, "is_met": each.is_met} for each in outcomes]
    path.write_text(json.dumps({"circumstances": circumstances, "outcomes": results}, indent=2) + "\n", "utf-8")
