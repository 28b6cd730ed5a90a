"""The file of results: a section a benchmark, replaced by the script that measured it, the others to the letter."""

from __future__ import annotations

from pathlib import Path

import results


def test_sections_are_replaced_and_the_others_stay(tmp_path):
    file = tmp_path / "RESULTS.md"
    results.write("Zebra", "python zebra.py", "striped\n", file=file)
    results.write("Ant", "python ant.py", "small", "six legs", packages=("pytest",), file=file)
    before = results.read(file)
    assert list(before) == ["Ant", "Zebra"]
    assert before["Ant"].startswith("From `python ant.py` (Python 3.")
    assert "pytest " in before["Ant"]
    assert before["Ant"].endswith("small\n\nsix legs")
    results.write("Ant", "python ant.py", "large", file=file)
    after = results.read(file)
    assert after["Zebra"] == before["Zebra"]
    assert after["Ant"].endswith("large")
    text = file.read_text()
    assert text.startswith("# Results of the benchmarks")
    assert text.count("## Ant") == 1


def test_numbers_stand_to_the_right():
    text = results.table(["what", "AUC", "rows", "a|b"], [["ours", 0.81234567, 12345, "x|y"], ["theirs", 0.8, 7, ""]])
    lines = text.splitlines()
    assert lines[1] == "|---|---:|---:|---|"
    assert lines[2] == "| ours | 0.8123 | 12,345 | x\\|y |"


def test_results_name_no_machine():
    if results.RESULTS.is_file():
        text = results.RESULTS.read_text()
        assert str(Path.home()) not in text
        assert "/tmp" not in text
