"""The counts of scripts/measure/code_size.py, on sources small enough to count by hand."""

from scripts.measure import code_size
from scripts.measure.code_size import Measures, beyond_goals, measure_source, percentile

SOURCE = '''"""A module.

Two lines of it.
"""

import math  # a comment


@property
def area(radius: float) -> float:
    """Return it."""

    # why
    return math.pi * radius**2


class Circle:
    """A class."""

    def name(self):
        a, b = 1, 2
        x = y = 3
        return f"circle {a} {b}" "!"
'''


def test_tokens_leave_out_comments_docstrings_and_layout():
    measures = measure_source(SOURCE, "shapes.py")
    # import math | @ property | def area ( radius : float ) -> float :
    # return math . pi * radius ** 2 | class Circle : | def name ( self ) :
    # a , b = 1 , 2 | x = y = 3 | return f"…" "!"
    assert measures.tokens == 2 + 2 + 10 + 8 + 3 + 6 + 7 + 5 + 3
    assert measures.code_lines == 9
    assert measures.tokens_per_line == measures.tokens / 9
    assert measures.file_lines == {"shapes.py": 23}


def test_functions_are_counted_without_decorators():
    functions = measure_source(SOURCE, "shapes.py").function_tokens
    assert functions == {"shapes.py:10 area": 18, "shapes.py:20 name": 21}


def test_only_tuples_on_both_sides_are_packed():
    assert measure_source(SOURCE, "shapes.py").packed == ["shapes.py:21"]
    assert not measure_source("a, b = f()\nc = 1, 2\n", "x.py").packed


def test_strings_count_once_whatever_they_hold():
    one = measure_source("x = f\"{a + b} and {c!r:>{n}} {f'{d}'}\"\n", "x.py")
    assert one.tokens == 3


def test_long_lines_and_skips_are_named():
    source = "x = 1  # fmt: " + "skip\n" + "y = '" + "é" * 96 + "'\n" + "z = '" + "é" * 94 + "'\n"
    source += "a = '" + "é" * 94 + "'  # type: ignore[assignment]\n"
    measures = measure_source(source, "x.py")
    assert measures.skips == ["x.py:1"]
    assert measures.long_lines == ["x.py:2"]


def test_percentile_is_not_exceeded_by_its_share():
    assert percentile(list(range(1, 11)), 0.9) == 10
    assert percentile(list(range(1, 101)), 0.5) == 51
    assert percentile([], 0.9) == 0


def test_goals_name_what_is_beyond_them():
    fine = Measures({"a.py": 300}, {"a.py:1 f": 180}, tokens=90, code_lines=10)
    assert beyond_goals(fine) == []
    poor = Measures(
        {"a.py": 301},
        {"a.py:1 f": 181},
        tokens=91,
        code_lines=10,
        packed=["a.py:3"],
        skips=["a.py:4"],
        long_lines=["a.py:5"],
    )
    found = "\n".join(beyond_goals(poor))
    for said in ("a.py:5: a line", "a.py:3: several", "a.py:4: kept", "301 lines", "181", "9.10"):
        assert said in found


def test_rooms_are_all_packages_and_the_scripts(tmp_path):
    for folder in ("db", "tests", "docs", "scripts"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("x = 1\n")
    for package in ("db", "tests"):
        (tmp_path / package / "__init__.py").touch()
    rooms = code_size.measure_rooms(tmp_path)
    assert [*rooms] == ["db", "scripts"]
    assert rooms["db"].file_lines == {"db/__init__.py": 0, "db/a.py": 1}
