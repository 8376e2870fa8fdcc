"""Reads every format of one result with libraries that others wrote, and finds in each what is in
the JSON. Argument: the directory with result.json, result.csv and so on."""

import csv
import json
import math
import pathlib
import sys

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
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(source)
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
    checks = by_head("check")
    for table, case in zip(checks, CASES, strict=True):
        assert table[0][:2] == ["passed", "every record is whole"]
        for row, gate in zip(table[1:], case["gates"], strict=True):
            word = "failed" if gate["failed"] else "passed"
            assert row == [word, f"--fail-if {gate['fail_if']}", gate["reason"]]
    [about] = by_head("measured")
    assert dict(about)["command"] == " ".join(RESULT["command"])


assert len(CASES) == 2 and all(len(case["runs"]) == 2 for case in CASES)
read_csv()
read_markdown()
