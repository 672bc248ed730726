"""Prometheus' text format, version 0.0.4, read strictly: what it does not allow, or what Prometheus would take
and make something else of, is a FormatError.

    series = parse(text)
    series["vmemail_deliveries_total", ("outcome", "sent"), ("server", "localhost:25")]
    total(series, "vmemail_deliveries_total", outcome="sent")
"""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (-?\d+(?:\.\d+)?)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
TYPES = {"counter", "gauge", "histogram"}
PARTS = ("_bucket", "_sum", "_count")


class FormatError(Exception):
    pass


def require(condition, what):
    if not condition:
        raise FormatError(what)


def labels_of(text, line):
    found = LABEL.findall(text)
    require(",".join(f'{name}="{value}"' for name, value in found) == text, f"labels of {line!r}")
    names = [name for name, _ in found]
    require(len(names) == len(set(names)), f"a label twice in {line!r}")
    unescaped = [(name, re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value)) for name, value in found]
    return tuple(sorted(unescaped))


def parse(text):
    """{(name, (label, value)...): number}, the labels in their names' order."""
    require(text.endswith("\n") and "\n\n" not in text, "lines end with one line feed")
    types, helps, series, seen, family = {}, set(), {}, [], None
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            what, name, rest = line[2:].split(" ", 2)
            require(re.fullmatch(NAME, name), f"name in {line!r}")
            require(what in ("HELP", "TYPE"), f"comment {line!r}")
            if what == "HELP":
                require(name not in helps, f"HELP twice: {line!r}")
                helps.add(name)
                continue
            require(name in helps and name not in types and rest in TYPES, f"TYPE: {line!r}")
            types[name], family = rest, name
            seen.append(name)
            continue
        match = SAMPLE.fullmatch(line)
        require(match, f"sample {line!r}")
        base = next((match[1].removesuffix(p) for p in PARTS if match[1].endswith(p)), match[1])
        base = base if types.get(base) == "histogram" else match[1]
        require(base == family, f"{line!r} is not behind the TYPE of its metric")
        key = (match[1], *labels_of(match[2], line)) if match[2] is not None else (match[1],)
        require(key not in series, f"series twice: {line!r}")
        series[key] = float(match[3])
        require(types[base] == "gauge" or series[key] >= 0, f"{line!r} is below 0")
    require(helps == set(types), "every HELP has a TYPE")
    for name, kind in types.items():
        require((kind == "counter") == name.endswith("_total"), f"{name} is a {kind}")
        if kind == "histogram":
            check_histogram(name, series)
    return series


def check_histogram(name, series):
    buckets = [(dict(key[1:]), value) for key, value in series.items() if key[0] == name + "_bucket"]
    bounds = [float(labels["le"].replace("+Inf", "inf")) for labels, _ in buckets]
    require(bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), f"buckets of {name}")
    values = [value for _, value in buckets]
    require(values == sorted(values), f"{name} is not cumulative")
    require(values[-1] == series[(name + "_count",)], f"count of {name}")
    require((name + "_sum",) in series, f"sum of {name}")


def total(series, name, **labels):
    """The sum over the series of `name` that have these labels, among others."""
    wanted = set(labels.items())
    return sum(value for key, value in series.items() if key[0] == name and wanted <= set(key[1:]))
