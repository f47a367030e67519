"""The table of cases and contestants: read, checked, and made into the flags of a run."""
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

KINDS = ("throughput", "latency", "syscalls")
METRICS = {  # unit for people, what is better
    "records_s": ("M records/s", max), "cpu_s_per_m": ("CPU s per million", min), "rss_mb": ("MB resident", min),
    "p50_us": ("p50 µs", min), "p95_us": ("p95 µs", min), "p99_us": ("p99 µs", min), "p999_us": ("p99.9 µs", min),
    "max_us": ("max µs", min), "syscalls_per_m": ("system calls per million", min),
}
GOAL = re.compile(r"(\w+) (>=|<=) ([0-9.e]+)(?: x ([\w-]+))?")


class Mistake(Exception):
    """What the user asked for, or wrote into the table, makes no sense."""


@dataclass(frozen=True)
class Goal:
    metric: str
    at_least: bool
    factor: float
    of: str | None  # None: a number by itself; "best": the best peer; else a case
    text: str


@dataclass(frozen=True)
class Contestant:
    name: str
    title: str
    program: str
    flags: tuple
    environment: dict = field(default_factory=dict)

    @property
    def is_peer(self):
        return self.program != "sluice"


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    kind: str
    flags: tuple
    goals: tuple
    client_cores: str
    sink_delay_ms: int
    more: dict
    contestants: tuple  # empty: all

    @property
    def partitions(self):
        """Of the topic, whichever of them a contestant names; it names none where its flags say 0."""
        return int(dict(zip(self.flags[::2], self.flags[1::2])).get("--partitions", 12))


@dataclass(frozen=True)
class Table:
    cases: dict
    contestants: dict


def goal(text):
    found = GOAL.fullmatch(text)
    if not found or found[1] not in METRICS:
        raise Mistake(f"a goal is 'METRIC >= NUMBER [x best|CASE]', not '{text}'")
    return Goal(found[1], found[2] == ">=", float(found[3]), found[4], text)


def read_table(path):
    try:
        told = tomllib.loads(Path(path).read_text())
    except (OSError, tomllib.TOMLDecodeError) as wrong:
        raise Mistake(f"{path}: {wrong}") from wrong
    contestants = {name: Contestant(name, each["title"], each["program"], tuple(each.get("flags", "").split()),
                                    each.get("environment", {}))
                   for name, each in told["contestant"].items()}
    cases, common = {}, told.get("flags", "").split()
    for each in told["case"]:
        name = each["name"]
        if name in cases:
            raise Mistake(f"{path}: two cases are named '{name}'")
        if each["kind"] not in KINDS:
            raise Mistake(f"{path}: case {name}: kind '{each['kind']}' is none of {', '.join(KINDS)}")
        more = {contestant: tuple(flags.split()) for contestant, flags in each.get("more", {}).items()}
        for contestant in (*more, *each.get("contestants", ())):
            if contestant not in contestants:
                raise Mistake(f"{path}: case {name}: no contestant is named '{contestant}'")
        cases[name] = Case(name, each["title"], each["kind"], (*common, *each.get("flags", "").split()),
                           tuple(goal(text) for text in each.get("goals", ())), each.get("client_cores", "one"),
                           each.get("sink_delay_ms", 0), more, tuple(each.get("contestants", ())))
    for each in cases.values():
        for one in each.goals:
            if one.of not in (None, "best", *cases):
                raise Mistake(f"{path}: case {each.name}: goal '{one.text}' names no case")
    return Table(cases, contestants)


def chosen(known, asked, what):
    """Those of `known` that are named in `asked` ("a,b"), in the order of the table; all for None."""
    if asked is None:
        return list(known.values())
    names = [name for name in asked.split(",") if name]
    for name in names:
        if name not in known:
            raise Mistake(f"unknown {what} '{name}'; known: {', '.join(known)}")
    if not names:
        raise Mistake(f"no {what} is named")
    return [each for name, each in known.items() if name in names]


def flags_of(case, contestant):
    """One value for each flag, in the order of their first appearance; -X and its pairs are all kept."""
    return last_of_each(case, contestant, [*case.flags, *contestant.flags, *case.more.get(contestant.name, ())])


def own_flags_of(case, contestant):
    """Those that not all contestants of the case have, as words."""
    values, pairs = last_of_each(case, contestant, [*contestant.flags, *case.more.get(contestant.name, ())])
    return [word for pair in values.items() for word in pair] + pairs


def last_of_each(case, contestant, words):
    if len(words) % 2:
        raise Mistake(f"case {case.name}, {contestant.name}: a flag without a value: {' '.join(words)}")
    values, pairs = {}, []
    for name, value in zip(words[::2], words[1::2]):
        if not name.startswith("-"):
            raise Mistake(f"case {case.name}, {contestant.name}: '{name}' is no flag")
        if name == "-X":
            pairs += [name, value]
        else:
            values[name] = value
    return values, pairs
