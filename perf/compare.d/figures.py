"""What many runs come to: medians, spreads, ratios to the best peer, goals met or missed."""
from dataclasses import dataclass
from statistics import median

from cases import METRICS


@dataclass(frozen=True)
class Figure:
    median: float
    low: float
    high: float
    count: int


def figure(values):
    values = [value for value in values if value is not None]
    return Figure(median(values), min(values), max(values), len(values)) if values else None


class Figures:
    """By case, contestant and metric, from the runs that succeeded."""

    def __init__(self, table, runs):
        self.table = table
        self.by_case = {}
        for name, case in table.cases.items():
            of_case = [run for run in runs if run["case"] == name]
            if not of_case:
                continue
            self.by_case[name] = {}
            for contestant in table.contestants:
                good = [run["client"] for run in of_case if run["contestant"] == contestant and not run.get("error")]
                if good:
                    self.by_case[name][contestant] = {
                        metric: figure([each.get(metric) for each in good]) for metric in METRICS}

    def cases(self):
        return [self.table.cases[name] for name in self.by_case]

    def contestants(self, case):
        return [self.table.contestants[name] for name in self.by_case[case.name]]

    def of(self, case_name, contestant_name, metric):
        return self.by_case.get(case_name, {}).get(contestant_name, {}).get(metric)

    def best_peer(self, case_name, metric):
        """The best peer's median, or None."""
        found = [self.of(case_name, name, metric) for name, each in self.table.contestants.items() if each.is_peer]
        return METRICS[metric][1]((each.median for each in found if each), default=None)

    def ratio(self, case_name, contestant_name, metric):
        """Of the medians, this contestant's to the best peer's; None where there is nothing to divide."""
        own, best = self.of(case_name, contestant_name, metric), self.best_peer(case_name, metric)
        return own.median / best if own and best else None

    def goal(self, case_name, contestant_name, goal):
        """(the bound, whether it is met), or None where something was not measured."""
        own = self.of(case_name, contestant_name, goal.metric)
        unit = 1.0
        if goal.of == "best":
            unit = self.best_peer(case_name, goal.metric)
        elif goal.of:
            other = self.of(goal.of, contestant_name, goal.metric)
            unit = other.median if other else None
        if own is None or unit is None:
            return None
        bound = goal.factor * unit
        return bound, own.median >= bound if goal.at_least else own.median <= bound
