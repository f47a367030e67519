"""The Markdown of a comparison."""
from cases import METRICS, own_flags_of

COLUMNS = {
    "throughput": ("records_s", "cpu_s_per_m", "p99_us", "rss_mb"),
    "latency": ("p50_us", "p95_us", "p99_us", "p999_us", "max_us", "cpu_s_per_m"),
    "syscalls": ("syscalls_per_m",),
}
# Where others used more than this of the machine, a run says little.
OTHERS_MAX = 0.05
# A client that falls behind the rate asked for by more than this is not at equal load.
BEHIND_MAX = 0.02


def amount(metric, value):
    if metric == "records_s":
        return f"{value / 1e6:.3g}" if value < 1e6 else f"{value / 1e6:.2f}"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def spread(metric, figure):
    """"least – most", or nothing where all runs look the same."""
    low, high = amount(metric, figure.low), amount(metric, figure.high)
    return "" if low == high else f"{low} – {high}"


def rows_of(figures, case):
    """(title, [(median, spread, ratio to the best peer) for each column]), as text; a dash for what was not measured."""
    for contestant in figures.contestants(case):
        cells = []
        for metric in COLUMNS[case.kind]:
            figure = figures.of(case.name, contestant.name, metric)
            ratio = figures.ratio(case.name, contestant.name, metric)
            cells.append(("–", "", "") if figure is None else
                         (amount(metric, figure.median), spread(metric, figure), "" if ratio is None else f"{ratio:.2f}"))
        yield contestant.title, cells


def goals_of(figures, case):
    """(goal, title, median, bound, met) for each of ours, as far as it was measured."""
    for goal in case.goals:
        for contestant in figures.contestants(case):
            if contestant.is_peer:
                continue
            judged = figures.goal(case.name, contestant.name, goal)
            if judged is not None:
                own = figures.of(case.name, contestant.name, goal.metric).median
                yield goal, contestant.title, amount(goal.metric, own), amount(goal.metric, judged[0]), judged[1]


def rate_of(run):
    """The rate a run was asked for; None: as fast as possible."""
    flags = run.get("flags", [])
    rate = int(flags[flags.index("--rate") + 1]) if "--rate" in flags else 0
    return rate or None


def conditions(result):
    """What to know of how the runs were made, as lines."""
    machine = result["machine"]
    lines = [f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}; commit {machine['commit']}; "
             f"{machine['date']}.",
             f"Against {result['broker']}. Client on core {result['client_core']}, broker on core {result['sink_core']}; runs "
             "interleaved; medians (least – most)."]
    versions = sorted({f"{run['client']['peer']} {run['client']['version']}" for run in result["runs"]
                       if run.get("client") and run["client"].get("version")})
    if versions:
        lines.append("Versions: " + "; ".join(versions) + ".")
    timed = [run for run in result["runs"] if run.get("others") is not None]
    loaded = [run for run in timed if run["others"] > OTHERS_MAX]
    if loaded:
        most = max(run["others"] for run in loaded)
        lines.append(f"Not a quiet machine: in {len(loaded)} of {len(timed)} runs other processes used more than "
                     f"{OTHERS_MAX:.0%} of it, {most:.0%} at most.")
    behind = {}
    for run in result["runs"]:
        if rate_of(run) and not run.get("error") and run["client"]["records_s"] < (1 - BEHIND_MAX) * rate_of(run):
            behind.setdefault((run["case"], run["contestant"]), []).append(run["client"]["records_s"] / rate_of(run))
    lines += [f"Not at the load asked for: {case}, {contestant}: {min(parts):.0%} of it in the worst of {len(parts)} such runs."
              for (case, contestant), parts in behind.items()]
    failed = [run for run in result["runs"] if run.get("error")]
    for run in failed:
        lines.append(f"Failed: {run['case']}, {run['contestant']}: {run['error']}")
    return lines


def own_flags(figures, case):
    """(title, flags) of the contestants that run the case with flags of their own."""
    for contestant in figures.contestants(case):
        flags = own_flags_of(case, contestant)
        if flags:
            yield contestant.title, " ".join(flags)


def markdown(result, figures):
    out = ["# Producers compared", ""]
    out += [f"- {line}" for line in conditions(result)]
    for case in figures.cases():
        head = [""]
        for metric in COLUMNS[case.kind]:
            head += [METRICS[metric][0], "× best peer"]
        own = "; ".join(f"{title} `{flags}`" for title, flags in own_flags(figures, case))
        out += ["", f"## {case.title}", "", f"`{' '.join(case.flags)}`" + (f" and {own}" if own else ""), "",
                "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for title, cells in rows_of(figures, case):
            row = [title]
            for median, between, ratio in cells:
                row += [f"{median} ({between})" if between else median, ratio or "–"]
            out.append("| " + " | ".join(row) + " |")
        goals = list(goals_of(figures, case))
        if goals:
            out.append("")
        for goal, title, own, bound, is_met in goals:
            out.append(f"- {'met' if is_met else 'MISSED'}: {title}: `{goal.text}`: {own}, bound {bound}")
    return "\n".join(out) + "\n"
