"""What a part of the bench gives back: tables and claims, and how they are printed.

    series = measure.interleaved(...)
    table = compare("one mailbox", series, [Column("wall", "ms", 1000, "{:.1f}")], base="mbsync")
    claim = at_most("wall", series.ratio("vmemaild", "mbsync", "wall"), 0.6, "x mbsync")
"""

import collections
import statistics

# A figure of a table: its key in the samples, its heading, what it is multiplied with to be in the heading's
# unit, its form, and whether its ratio to the base's stands behind it, and its least and most.
COLUMN_DEFAULTS = (1, "{:.0f}", True, False)
Column = collections.namedtuple("Column", "figure heading scale form ratio spread", defaults=COLUMN_DEFAULTS)
Claim = collections.namedtuple("Claim", "text met")


class Series:
    """The samples of some clients: client -> figure -> values, in the order of the rounds."""

    def __init__(self, clients=()):
        self._values = {client: {} for client in clients}

    def add(self, client, sample):
        figures = self._values.setdefault(client, {})
        for figure, value in sample.items():
            figures.setdefault(figure, []).append(value)

    def clients(self):
        return list(self._values)

    def values(self, client, figure):
        return self._values[client].get(figure, [])

    def samples(self, client):
        figures = self._values[client]
        return [dict(zip(figures, values)) for values in zip(*figures.values())]

    def median(self, client, figure):
        return statistics.median(self.values(client, figure))

    def ratio(self, client, base, figure):
        least = 1e-9  # a figure of 0 is as good as it gets, as a base too
        return self.median(client, figure) / max(self.median(base, figure), least)


class Table:
    """A title, headings and rows of text; the first column is names."""

    def __init__(self, title, headings, rows):
        self.title, self.headings, self.rows = title, headings, rows

    def text(self):
        lines = [self.headings, *self.rows]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.headings))]
        out = [self.title]
        for line in lines:
            cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
            out.append("   " + "  ".join(cells).rstrip())
        return "\n".join(out)

    def markdown(self):
        def line(cells):
            return "| " + " | ".join(cells) + " |"

        rule = line(["---", *["---:"] * (len(self.headings) - 1)])
        return "\n".join([f"**{self.title}**", "", line(self.headings), rule, *map(line, self.rows)])


def compare(title, series, columns, base):
    """Medians of every client, each with its ratio to the base client's; "-" is what was not measured."""
    headings, rows = ["client"], [[client] for client in series.clients()]
    for column in columns:
        headings.append(column.heading)
        headings += ["least..most"] * column.spread + [f"x {base}"] * column.ratio
        for row in rows:
            values = series.values(row[0], column.figure)

            def text(value):
                return column.form.format(value * column.scale) if values else "-"

            row.append(text(values and statistics.median(values)))
            if column.spread:
                row.append(f"{text(min(values))}..{text(max(values))}" if values else "-")
            if column.ratio:
                known = values and series.values(base, column.figure)
                row.append(f"{series.ratio(row[0], base, column.figure):.2g}" if known else "-")
    return Table(title, headings, rows)


def _judged(what, value, limit, unit, form, met, bound):
    return Claim(f"{what}: {form.format(value)} {unit}, {bound} {form.format(limit)} {unit}", met)


def at_most(what, value, limit, unit, form="{:.3g}"):
    return _judged(what, value, limit, unit, form, value <= limit, "at most")


def at_least(what, value, limit, unit, form="{:.3g}"):
    return _judged(what, value, limit, unit, form, value >= limit, "at least")
