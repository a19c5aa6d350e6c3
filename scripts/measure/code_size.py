"""Measure the Python code of the rooms and of scripts/, in lines and tokens.

    python scripts/measure/code_size.py [--check] [--longest 10] [--root CHECKOUT]

Prints a line for each top-level package, one for `scripts` and one for all of them. Tokens are
those of Python's tokenizer without comments, docstrings, line ends and indentation; a string is one
token, f-strings included, as in Python 3.11. A code line is one on which a token begins. An
assignment is packed if it has the form `a, b = x, y`. With --check the exit status is 1 if a goal
below is missed.
"""

import argparse
import ast
import io
import re
import tokenize
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLUMNS = 100
MOST_TOKENS_OF_FUNCTIONS = 180  # 90th percentile
MOST_TOKENS_PER_LINE = 9.0
MOST_LINES = 300  # of a file

NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
PRAGMA = re.compile(r" *# (type: ignore|noqa).*$")  # as the formatter, which does not count it
FSTRING_START = getattr(tokenize, "FSTRING_START", None)  # from Python 3.12 on
FSTRING_END = getattr(tokenize, "FSTRING_END", None)
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Measures:
    """Counts of some files, keyed by place: "file.py" or "file.py:line function"."""

    file_lines: dict[str, int] = field(default_factory=dict)
    function_tokens: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    code_lines: int = 0
    assignments: int = 0
    packed: list[str] = field(default_factory=list)
    skips: list[str] = field(default_factory=list)
    long_lines: list[str] = field(default_factory=list)

    def add(self, other: "Measures") -> None:
        self.file_lines |= other.file_lines
        self.function_tokens |= other.function_tokens
        self.tokens += other.tokens
        self.code_lines += other.code_lines
        self.assignments += other.assignments
        self.packed += other.packed
        self.skips += other.skips
        self.long_lines += other.long_lines

    @property
    def tokens_per_line(self) -> float:
        return self.tokens / max(self.code_lines, 1)

    @property
    def tokens_of_functions(self) -> int:
        """The 90th percentile of the tokens of functions."""
        return percentile(list(self.function_tokens.values()), 0.9)


def measure_source(source: str, name: str) -> Measures:
    """Measure the text of one file."""
    tree = ast.parse(source)
    counts = count_tokens(source, docstring_lines(tree))
    assignments = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    lines = source.splitlines()
    measures = Measures({name: len(lines)}, function_tokens(tree, counts, name))
    measures.tokens = counts.total()
    measures.code_lines = len(counts)
    measures.assignments = len(assignments)
    measures.packed = [f"{name}:{node.lineno}" for node in assignments if is_packed(node)]
    for number, line in enumerate(lines, start=1):
        if len(PRAGMA.sub("", line)) > COLUMNS:
            measures.long_lines.append(f"{name}:{number}")
        if line.rstrip().endswith("# fmt: " + "skip"):
            measures.skips.append(f"{name}:{number}")
    return measures


def docstring_lines(tree: ast.Module) -> set[int]:
    """Return the numbers of the lines of docstrings."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | FUNCTIONS):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            found |= set(range(docstring.lineno, docstring.end_lineno + 1))
    return found


def count_tokens(source: str, docstrings: set[int]) -> Counter[int]:
    """Return the number of tokens that begin on each line."""
    counts: Counter[int] = Counter()
    depth = 0  # nesting of f-strings
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == FSTRING_END:
            depth -= 1
            continue
        if token.type not in NO_CODE and token.start[0] not in docstrings and not depth:
            counts[token.start[0]] += 1
        if token.type == FSTRING_START:
            depth += 1
    return counts


def function_tokens(tree: ast.Module, counts: Counter[int], name: str) -> dict[str, int]:
    """Return the tokens of each function and method, without its decorators."""
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    last_line = max((node.end_lineno for node in functions), default=0)
    until = [0, *accumulate(counts[line] for line in range(1, last_line + 1))]
    return {
        f"{name}:{node.lineno} {node.name}": until[node.end_lineno] - until[node.lineno - 1]
        for node in functions
    }


def is_packed(node: ast.Assign) -> bool:
    """Return whether several values are assigned to several names at once."""
    return isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Tuple)


def percentile(values: list[int], share: float) -> int:
    """Return the smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0


def measure_folder(folder: Path, root: Path) -> Measures:
    measures = Measures()
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        measures.add(measure_source(path.read_text(encoding="utf-8"), name))
    return measures


def measure_rooms(root: Path) -> dict[str, Measures]:
    """Measure scripts/ and every top-level package except the tests."""
    folders = sorted(path.parent for path in root.glob("*/__init__.py"))
    rooms = [folder for folder in folders if folder.name not in ("tests", "scripts")]
    return {room.name: measure_folder(room, root) for room in [*rooms, root / "scripts"]}


def beyond_goals(every: Measures) -> list[str]:
    """Return a line for each goal that the code misses."""
    found = [f"{place}: a line of more than {COLUMNS} columns" for place in every.long_lines]
    found += [f"{place}: several assignments in one" for place in every.packed]
    found += [f"{place}: kept from the formatter" for place in every.skips]
    for name, lines in every.file_lines.items():
        if lines > MOST_LINES:
            found.append(f"{name}: {lines} lines, more than {MOST_LINES}; split it by subject")
    if every.tokens_of_functions > MOST_TOKENS_OF_FUNCTIONS:
        found.append(
            f"one function in ten has more than {every.tokens_of_functions} tokens; "
            f"the goal is {MOST_TOKENS_OF_FUNCTIONS}: split the longest (--longest)"
        )
    if every.tokens_per_line > MOST_TOKENS_PER_LINE:
        found.append(
            f"{every.tokens_per_line:.2f} tokens a line; the goal is {MOST_TOKENS_PER_LINE}"
        )
    return found


HEADINGS = ("", "lines", "files", "max", "tok50", "tok90", "max", "tok/line", "packed", ">100")


def row(name: str, measures: Measures) -> tuple[str, ...]:
    """Return the cells of one line of the table."""
    functions = list(measures.function_tokens.values())
    lines = list(measures.file_lines.values())
    counts = (sum(lines), len(lines), max(lines, default=0), percentile(functions, 0.5))
    return (
        name,
        *map(str, counts),
        str(measures.tokens_of_functions),
        str(max(functions, default=0)),
        f"{measures.tokens_per_line:.2f}",
        str(len(measures.packed)),
        str(len(measures.long_lines)),
    )


def print_table(rooms: dict[str, Measures], every: Measures) -> None:
    rows = [row(name, measures) for name, measures in rooms.items()]
    for cells in (HEADINGS, *rows, row("all", every)):
        print(f"{cells[0]:<12}" + "".join(f"{cell:>9}" for cell in cells[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail if a goal is missed")
    parser.add_argument("--longest", type=int, default=0, help="also list the longest functions")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to measure")
    arguments = parser.parse_args()
    rooms = measure_rooms(arguments.root.resolve())
    every = Measures()
    for measures in rooms.values():
        every.add(measures)
    print_table(rooms, every)
    ranked = sorted(every.function_tokens.items(), key=lambda item: -item[1])
    for function, count in ranked[: arguments.longest]:
        print(f"{count:>6}  {function}")
    if arguments.check and (found := beyond_goals(every)):
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()
