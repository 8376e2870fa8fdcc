"""Reads every format of one result with libraries that others wrote, and finds in each what is in
the JSON. Argument: the directory with result.json, result.csv and so on."""

import csv
import json
import math
import pathlib
import re
import sys

import html5lib
import jsonschema
from junitparser import JUnitXml
from markdown_it import MarkdownIt

HERE = pathlib.Path(sys.argv[1])
RESULT = json.loads((HERE / "result.json").read_text())
CASES = RESULT["results"]


def text(name):
    return (HERE / name).read_bytes().decode("utf-8")


def same(cell, value):
    """A cell of figures: nothing for null, and otherwise the very same number."""
    return cell == "" if value is None else float(cell) == value


def read_csv():
    raw = text("result.csv")
    assert raw.count("\n") == raw.count("\r\n"), "RFC 4180 ends lines with CRLF"
    rows = list(csv.DictReader(raw.splitlines(keepends=True), strict=True))
    runs = [(case, turn, run) for case in CASES for turn, run in enumerate(case["runs"], 1)]
    assert len(rows) == len(runs)
    for row, (case, turn, run) in zip(rows, runs):
        assert None not in row and None not in row.values(), "as many cells as the header has"
        assert (row["case"], row["run"]) == (case["name"], str(turn))
        for name, value in run["metrics"].items():
            assert same(row[name], value), name
        for name in ["records", "bytes", "seconds"]:
            assert same(row[f"measured-{name}"], run["window"][name]), name
        for name, value in run["records"].items():
            assert same(row[name], value), name
        assert same(row["compression-reached"], run["batches"]["compression"])
        for name, value in case["parameters"].items():
            is_figure = isinstance(value, (int, float)) and not isinstance(value, bool)
            found = same(row[name], value) if is_figure else row[name] == (value or "")
            assert found, (name, row[name], value)


def tables(source):
    """Each table as rows of cells, each cell as the text that a reader sees."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)
    assert not any(token.type.startswith("html") for token in tokens), "foreign words are text"
    found, cell = [], False
    for token in tokens:
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open"):
            cell = True
        elif token.type == "inline" and cell:
            kinds = {child.type for child in token.children}
            assert kinds <= {"text", "text_special", "strong_open", "strong_close"}, token
            found[-1][-1].append("".join(child.content for child in token.children))
            cell = False
        elif token.type == "inline":
            assert "|" not in token.content or "&#124;" in token.content, "a table was torn"
    return found


def read_markdown():
    found = tables(text("result.md"))
    for table in found:
        assert all(len(row) == len(table[0]) for row in table), table
    by_head = lambda *head: [table[1:] for table in found if table[0][: len(head)] == list(head)]
    [summary] = by_head("case")
    assert [row[0] for row in summary] == [case["name"] for case in CASES]
    figures = by_head("metric", "median", "min", "max", "95 % sure")
    for table, case in zip(figures, CASES, strict=True):
        assert {row[0] for row in table} == set(case["summary"])
    verdicts = by_head("check")
    for table, case in zip(verdicts, CASES, strict=True):
        assert table[0][:2] == ["passed", "every record is whole"]
        for row, (name, failed, reason) in zip(table, checks(case), strict=True):
            assert row[:2] == ["failed" if failed else "passed", name]
            assert reason is None or row[2] == reason
    [about] = by_head("measured")
    assert dict(about)["command"] == " ".join(RESULT["command"])


def checks(case):
    """What junit, markdown and html say of a case: what, whether it failed, and why."""
    sound = ("every record is whole", False, None)
    gates = [(f"--fail-if {gate['fail_if']}", gate["failed"], gate["reason"]) for gate in case["gates"]]
    changes = case["comparison"]["changes"]
    judged = [(name, found["judgement"]) for name, found in changes.items() if found["judgement"]]
    return [sound] + gates + [(f"--compare {name}", said == "worse", None) for name, said in judged]


def sides(case):
    """What was measured now, and the baseline."""
    return [case["runs"], case["comparison"]["runs"]]


def runs(case):
    return [run for side in sides(case) for run in side]


def read_junit():
    suites = JUnitXml.fromfile(str(HERE / "result.xml"))
    failed = sum(failed for case in CASES for _, failed, _ in checks(case))
    assert (suites.tests, suites.failures) == (sum(len(checks(case)) for case in CASES), failed)
    for suite, case in zip(suites, CASES, strict=True):
        assert suite.name == case["name"]
        assert {"name": "seed", "value": "1"} in [
            {"name": found.name, "value": found.value} for found in suite.properties()
        ]
        for found, (name, failed, reason) in zip(suite, checks(case), strict=True):
            assert (found.name, found.classname) == (name, "kaw.bench." + case["workload"])
            assert found.is_failure == failed and found.is_passed != failed
            if failed and reason:
                assert [result.message for result in found.result] == [reason]


# https://bencher.dev/bmf.json
BENCHER = {
    "$schema": "http://json-schema.org/draft-07/schema",
    "type": "object",
    "patternProperties": {
        ".+": {
            "type": "object",
            "patternProperties": {
                ".+": {
                    "type": "object",
                    "properties": {
                        "value": {"type": "number"},
                        "lower_value": {"type": "number"},
                        "upper_value": {"type": "number"},
                    },
                    "required": ["value"],
                }
            },
        }
    },
}


def read_bencher():
    benchmarks = json.loads(text("result.bencher.json"))
    jsonschema.Draft7Validator(BENCHER).validate(benchmarks)
    assert list(benchmarks) == [case["name"] for case in CASES]
    for case in CASES:
        measures, summary = benchmarks[case["name"]], case["summary"]
        assert measures["throughput"]["value"] == summary["records/s"]["median"]
        assert math.isclose(measures["latency"]["value"], summary["p50"]["median"] * 1e9)
        assert math.isclose(measures["cpu"]["value"], summary["cpu"]["median"] * 1e9)
        assert measures["memory"]["value"] == summary["memory"]["median"]
        assert len(measures) == len(summary)
        for name, measure in measures.items():
            assert len(name) <= 64
            if "lower_value" in measure:
                assert measure["lower_value"] <= measure["value"] <= measure["upper_value"]


def read_github():
    """As extract.ts and extractRangeInfo.ts of github-action-benchmark do."""
    all_names = set()
    for direction, better in [("bigger", "higher"), ("smaller", "lower")]:
        entries = json.loads(text(f"result.{direction}.json"))
        for entry in entries:
            assert set(entry) <= {"name", "value", "unit", "range", "extra"}
            assert isinstance(entry["value"], (int, float)) and entry["unit"]
            assert entry["name"] not in all_names, "it is found again by its name"
            all_names.add(entry["name"])
            if "range" in entry:
                found = re.search(r"(?P<prefix>(\+-|±)\s*)(?P<value>\d.*)", entry["range"])
                assert 0 < float(found["value"])
        names = {entry["name"] for entry in entries}
        assert names == {
            f"{case['name']}: {name}"
            for case in CASES
            for name, figure in case["summary"].items()
            if figure["better"] == better
        }


# A page.


def of_class(element, tag, name):
    return [found for found in element.iter(tag) if found.get("class") == name]


def words(element):
    return "".join(element.itertext())


def named(label):
    """The value that a label of an axis names, in base units."""
    number, unit = re.fullmatch(r"([\d.]+)(us|µs|ms|s|k|M|%)?", label).groups()
    factors = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "k": 1e3, "M": 1e6, "%": 0.01, None: 1}
    return float(number) * factors[unit]


SCALES = {
    "linear": lambda value: value,
    "log": math.log10,
    "nines": lambda value: -math.log10(1 - value),
}


def along(ticks, scale):
    """From a coordinate to the scaled value, as the labels of the axis say; all must agree."""
    scaled = [(float(at), SCALES[scale](named(label))) for at, label in ticks]
    (at, low), (end, high) = scaled[0], scaled[-1]
    per_pixel = (high - low) / (end - at)
    for found, value in scaled:
        assert abs(low + (found - at) * per_pixel - value) <= 0.02 * abs(per_pixel), ticks
    return lambda found: low + (found - at) * per_pixel, abs(per_pixel)


def course(run):
    tick, end = run["timeline"]["tick_seconds"], run["window"]["seconds"]
    for turn, found in enumerate(run["timeline"]["ticks"]):
        start = turn * tick
        length = min(tick, end - start) if start < end else tick
        yield start + length / 2, length, found


def curve(run):
    last = 0
    for point in run["latency_curve"]:
        part = point["part"] if point["part"] < 1 else (last + 1) / 2
        last = part
        yield part, point["seconds"]


def each(case, name):
    return [
        [(turn, run["metrics"][name]) for turn, run in enumerate(side, 1)] for side in sides(case)
    ]


CHARTS = {
    "Throughput over time": (
        "linear",
        "linear",
        lambda case: [
            [(at, tick["records"] / length) for at, length, tick in course(run)]
            for run in runs(case)
        ],
    ),
    "Latency percentiles": ("nines", "log", lambda case: [list(curve(run)) for run in runs(case)]),
    "Latency over time (p99 of each tick)": (
        "linear",
        "log",
        lambda case: [
            [(at, tick["p99"]) for at, _, tick in course(run) if tick["p99"] is not None]
            for run in runs(case)
        ],
    ),
    "records/s of each run": ("linear", "linear", lambda case: each(case, "records/s")),
    "p99 of each run": ("linear", "linear", lambda case: each(case, "p99")),
}


def drawn(svg):
    lines = [line.get("points").split() for line in svg.iter("polyline")]
    return [[tuple(map(float, point.split(","))) for point in line] for line in lines]


def ticks(svg):
    across = [(mark.get("x"), words(mark)) for mark in of_class(svg, "text", "x")]
    return across, [(mark.get("y"), words(mark)) for mark in of_class(svg, "text", "y")]


def read_chart(figure, case):
    title = words(figure.find("figcaption"))
    x_scale, y_scale, wanted = CHARTS[title]
    svg = figure.find("svg")
    across, up = ticks(svg)
    if len(across) == 1:  # A single name has no scale.
        across = [*across, (float(across[0][0]) + 1, str(named(across[0][1]) + 1))]
    (x_of, x_step), (y_of, y_step) = along(across, x_scale), along(up, y_scale)
    found = drawn(svg)
    assert len(found) == len(wanted(case)), title
    for line, want in zip(found, wanted(case)):
        assert len(line) == len(want), (title, len(line), len(want))
        for (x, y), (x_want, y_want) in zip(line, want):
            assert abs(x_of(x) - SCALES[x_scale](x_want)) <= 0.02 * x_step, (title, x, x_want)
            assert abs(y_of(y) - SCALES[y_scale](y_want)) <= 0.02 * y_step, (title, y, y_want)
    return title


def read_sweep(figure, metric):
    svg = figure.find("svg")
    across, up = ticks(svg)
    y_of, y_step = along(up, "linear")
    place = {label: float(at) for at, label in across}
    [line] = drawn(svg)
    for (x, y), case in zip(line, CASES, strict=True):
        assert x == place[str(case["parameters"]["record-size"])]
        assert abs(y_of(y) - case["summary"][metric]["median"]) <= 0.02 * y_step


def read_html():
    source = text("result.html")
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(source)
    for element in page.iter():
        element.tag = element.tag.rsplit("}")[-1]
        assert element.tag not in {"script", "link", "img", "iframe", "object", "base"}
        for name, value in element.attrib.items():
            assert not name.startswith("on") and name not in {"src", "href", "style"}, name
    assert "://" not in source.replace("http-equiv", "") and "@import" not in source
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for svg in page.iter("svg"):
        assert svg.get("aria-hidden") or svg.get("aria-labelledby") in ids
    assert words(page.find(".//main/p/code")) == " ".join(RESULT["command"]).replace("\x01", "\ufffd")
    sweep = page.find(".//main/div[@class='charts']")
    by = {words(figure.find("figcaption")): figure for figure in sweep.iter("figure")}
    assert set(by) == {"records/s by record-size", "p99 by record-size"}
    for title, figure in by.items():
        read_sweep(figure, title.split()[0])
    sections = page.findall(".//section")[: len(CASES)]
    for section, case in zip(sections, CASES, strict=True):
        assert words(section.find("h2")) == case["name"]
        assert {read_chart(figure, case) for figure in section.iter("figure")} == set(CHARTS)
        rows = [[words(cell) for cell in row.iter("td")] for row in section.find(".//tbody").iter("tr")]
        for row, (name, failed, reason) in zip(rows, checks(case), strict=True):
            assert row[:2] == ["failed" if failed else "passed", name]
            assert reason is None or row[2] == reason


assert len(CASES) == 2 and all(len(case["runs"]) == 2 for case in CASES)
read_csv()
read_markdown()
read_junit()
read_bencher()
read_github()
read_html()
