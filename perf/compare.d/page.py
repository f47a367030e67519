"""One self-contained HTML page: plots as inline SVG, tables, nothing loaded from elsewhere."""
import math
from html import escape

from cases import METRICS
from tables import COLUMNS, amount, conditions, goals_of, own_flags, rows_of

# Ours are blue, peers are not; each contestant keeps its colour throughout.
COLOURS = {"sluice": "#2f6fde", "sluice-best": "#1746a2", "sluice-epoll": "#6fa3f5",
           "sluice-defaults-epoll": "#9dbdf7"}
PEER_COLOURS = ("#d9822b", "#b8a13a", "#3a9d6e", "#b0457e", "#7d6bb3", "#666666")
PLOTS = {"throughput": ("records_s", "cpu_s_per_m"), "latency": ("p99_us", "cpu_s_per_m"), "syscalls": ("syscalls_per_m",)}
PERCENTILES = (("p50_us", "p50"), ("p95_us", "p95"), ("p99_us", "p99"), ("p999_us", "p99.9"), ("max_us", "max"))

STYLE = """
:root { --ink: #1d2430; --soft: #5c6675; --line: #d8dde5; --ground: #ffffff; --panel: #f6f8fb; --met: #1d7a46; --missed: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a3adbb; --line: #3a4250; --ground: #14181f;
  --panel: #1c222c; --met: #6fd39b; --missed: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 28px 20px 60px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 6px; } h2 { font-size: 19px; margin: 44px 0 4px; }
.soft, figcaption, th { color: var(--soft); } ul.soft { margin: 0; padding-left: 18px; font-size: 13.5px; }
code { font-size: 12.5px; color: var(--soft); overflow-wrap: anywhere; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 14px; margin: 12px 0; }
figure { margin: 0; padding: 12px 14px; background: var(--panel); border-radius: 8px; }
figcaption { font-size: 13px; margin-bottom: 4px; } svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font-size: 12.5px; } svg .soft { fill: var(--soft); } svg .line { stroke: var(--line); }
svg .whisker { stroke: var(--ink); stroke-width: 1.2; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; margin: 8px 0; white-space: nowrap; }
th { font-weight: 500; } th, td { text-align: right; padding: 4px 9px; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } td { vertical-align: top; }
small { color: var(--soft); font-size: 11.5px; } .between { display: block; } .stack { display: grid; gap: 14px; align-content: start; }
.goals { list-style: none; padding: 0; margin: 6px 0; font-size: 13.5px; } .met { color: var(--met); } .missed { color: var(--missed); }
"""


def colours_of(table):
    made, peers = {}, iter(PEER_COLOURS)
    for name, contestant in table.contestants.items():
        made[name] = next(peers, PEER_COLOURS[-1]) if contestant.is_peer else COLOURS.get(name, "#2f6fde")
    return made


def text(x, y, words, anchor="start", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def line(x1, y1, x2, y2, kind="line", more=""):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}" {more}/>'


def svg(width, height, parts, label):
    return (f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label, quote=True)}">'
            + "".join(parts) + "</svg>")


def round_steps(top):
    """About four round numbers from 0 up to at least `top`."""
    raw = top / 4 or 1
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= raw * 0.999)
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


def bars(figures, case, metric, colours):
    """Medians as bars, the least and the most as a whisker."""
    found = [(each, figures.of(case.name, each.name, metric)) for each in figures.contestants(case)]
    found = [(each, figure) for each, figure in found if figure]
    if not found:
        return ""
    width, left, right, row, top = 520, 140, 62, 27, 6
    steps = round_steps(max(figure.high for _, figure in found) or 1)
    scale = (width - left - right) / steps[-1]
    height = top + row * len(found) + 22
    parts = []
    for step in steps:
        x = left + step * scale
        parts += [line(x, top, x, height - 20), text(x, height - 6, axis_text(metric, step), "middle", "soft")]
    for i, (contestant, figure) in enumerate(found):
        y = top + i * row
        middle = y + row / 2
        end = left + figure.median * scale
        parts.append(text(left - 8, middle + 4, contestant.title, "end"))
        parts.append(f'<rect x="{left}" y="{y + 5}" width="{max(end - left, 1):.1f}" height="{row - 10}" rx="2" '
                     f'fill="{colours[contestant.name]}"><title>{escape(contestant.title)}: '
                     f'{amount(metric, figure.median)} ({amount(metric, figure.low)} – {amount(metric, figure.high)}), '
                     f'{figure.count} runs</title></rect>')
        if figure.high > figure.low:
            low, high = left + figure.low * scale, left + figure.high * scale
            parts += [line(low, middle, high, middle, "whisker"), line(low, middle - 4, low, middle + 4, "whisker"),
                      line(high, middle - 4, high, middle + 4, "whisker")]
        parts.append(text(max(end, left + figure.high * scale) + 7, middle + 4, amount(metric, figure.median)))
    title = METRICS[metric][0]
    better = "more is better" if METRICS[metric][1] is max else "less is better"
    return f"<figure><figcaption>{escape(title)} ({better})</figcaption>{svg(width, height, parts, title)}</figure>"


def axis_text(metric, value):
    if metric == "records_s":
        return f"{value / 1e6:.4g}"
    return f"{value:,.4g}" if value < 10000 else f"{value:,.0f}"


def apart(positions, gap, low, high):
    """The positions, moved as little as need be to lie `gap` apart, between `low` and `high`."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    placed = dict.fromkeys(order, 0.0)
    at = low - gap
    for i in order:
        at = placed[i] = max(positions[i], at + gap)
    limit = high + gap
    for i in reversed(order):
        limit = placed[i] = min(placed[i], limit - gap)
    return [placed[i] for i in range(len(positions))]


def percentiles(figures, case, colours):
    """Medians of each percentile, on a logarithmic scale."""
    found = []
    for contestant in figures.contestants(case):
        points = [figures.of(case.name, contestant.name, metric) for metric, _ in PERCENTILES]
        if all(points):
            found.append((contestant, [point.median for point in points]))
    if not found:
        return ""
    width, height, left, right, top, bottom = 520, 290, 62, 142, 10, 26
    low = math.floor(math.log10(max(1, min(min(points) for _, points in found))))
    high = max(low + 1, math.ceil(math.log10(max(max(points) for _, points in found))))

    def place_x(i):
        return left + 14 + i * (width - left - right - 28) / (len(PERCENTILES) - 1)

    def place_y(value):
        part = (math.log10(max(value, 10 ** low)) - low) / (high - low)
        return height - bottom - part * (height - top - bottom)

    parts = []
    for power in range(low, high + 1):
        y = place_y(10 ** power)
        label = f"{10 ** power:,} µs" if power < 3 else f"{10 ** (power - 3):,} ms" if power < 6 else f"{10 ** (power - 6):,} s"
        parts += [line(left, y, width - right, y), text(left - 7, y + 4, label, "end", "soft")]
    for i, (_, name) in enumerate(PERCENTILES):
        parts.append(text(place_x(i), height - 7, name, "middle", "soft"))
    labels = apart([place_y(points[-1]) for _, points in found], 15, top + 4, height - bottom)
    for (contestant, points), label_y in zip(found, labels):
        colour = colours[contestant.name]
        places = [(place_x(i), place_y(value)) for i, value in enumerate(points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), value, (metric, name) in zip(places, points, PERCENTILES):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{escape(contestant.title)} {name}: '
                         f'{amount(metric, value)} µs</title></circle>')
        x, y = places[-1]
        parts.append(line(x + 5, y, width - right + 8, label_y, "", f'stroke="{colour}" stroke-opacity="0.45"'))
        parts.append(f'<text x="{width - right + 11}" y="{label_y + 4:.1f}" style="fill: {colour}">{escape(contestant.title)}</text>')
    title = "Latency from send to acknowledgement"
    return f"<figure><figcaption>{title} (less is better; logarithmic)</figcaption>{svg(width, height, parts, title)}</figure>"


def table(figures, case):
    head = "".join(f"<th>{escape(METRICS[metric][0])}</th>" for metric in COLUMNS[case.kind])
    rows = []
    for title, cells in rows_of(figures, case):
        made = "".join(f"<td>{median}{f' <small>× {ratio}</small>' if ratio else ''}<small class='between'>{between or '&nbsp;'}"
                       "</small></td>" for median, between, ratio in cells)
        rows.append(f"<tr><td>{escape(title)}</td>{made}</tr>")
    return (f'<div class="scroll"><table><thead><tr><th>median, × best peer, least – most</th>{head}</tr></thead>'
            f'<tbody>{"".join(rows)}</tbody></table></div>')


def section(figures, case, colours):
    plots = [bars(figures, case, metric, colours) for metric in PLOTS[case.kind]]
    if case.kind == "latency":
        plots = [percentiles(figures, case, colours), f'<div class="stack">{"".join(plots)}</div>']
    goals = "".join(f'<li><span class="{"met" if is_met else "missed"}">{"met" if is_met else "missed"}</span> '
                    f'{escape(title)}: <code>{escape(goal.text)}</code>: {own}, bound {bound}</li>'
                    for goal, title, own, bound, is_met in goals_of(figures, case))
    own = "; ".join(f"{escape(title)} <code>{escape(flags)}</code>" for title, flags in own_flags(figures, case))
    return (f'<section id="{escape(case.name)}"><h2>{escape(case.title)}</h2><code>{escape(" ".join(case.flags))}</code>'
            f'{f"<small> and {own}</small>" if own else ""}'
            f'<div class="plots">{"".join(plots)}</div>{table(figures, case)}<ul class="goals">{goals}</ul></section>')


def page(result, figures):
    colours = colours_of(figures.table)
    lines = "".join(f"<li>{escape(each)}</li>" for each in conditions(result))
    sections = "".join(section(figures, case, colours) for case in figures.cases())
    return ('<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Producers compared</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
            f'<h1>Producers compared</h1><ul class="soft">{lines}</ul>{sections}</body></html>\n')
