"""Measure how the Python code is written: sizes of files and functions, in lines and tokens.

    python scripts/measure/code_size.py [--longest 10]

Prints one line for each top-level package (and `scripts`) and one for all of them. A token is one
of Python's tokenizer; comments, docstrings, line ends and indentation do not count, and a string
counts as one token whatever it holds. A line is one that holds a token. Packed is the share of
assignments of the form `a, b = x, y`.
"""

import argparse
import ast
import io
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
IGNORED_TOKENS = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass
class Measures:
    """Counts of some files; lists have one entry per file or function."""

    file_lines: dict[str, int] = field(default_factory=dict)
    function_tokens: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    code_lines: int = 0
    assignments: int = 0
    packed: int = 0
    skips: int = 0
    long_lines: int = 0

    def add(self, other: "Measures") -> None:
        self.file_lines |= other.file_lines
        self.function_tokens |= other.function_tokens
        self.tokens += other.tokens
        self.code_lines += other.code_lines
        self.assignments += other.assignments
        self.packed += other.packed
        self.skips += other.skips
        self.long_lines += other.long_lines


def measure_file(path: Path, root: Path = ROOT) -> Measures:
    """Measure one file."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    name = path.relative_to(root).as_posix()
    docstrings = docstring_lines(tree)
    tokens = []
    skips = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        skips += token.type == tokenize.COMMENT and "fmt: skip" in token.string
        if token.type not in IGNORED_TOKENS and token.start[0] not in docstrings:
            tokens.append(token)
    lines = source.splitlines()
    return Measures(
        file_lines={name: len(lines)},
        function_tokens=count_function_tokens(tree, tokens, name),
        tokens=len(tokens),
        code_lines=len({token.start[0] for token in tokens}),
        assignments=sum(isinstance(node, ast.Assign) for node in ast.walk(tree)),
        packed=sum(is_packed(node) for node in ast.walk(tree)),
        skips=skips,
        long_lines=sum(len(line) > 100 for line in lines),
    )


def docstring_lines(tree: ast.Module) -> set[int]:
    """Numbers of the lines that docstrings take."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            found |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return found


def count_function_tokens(
    tree: ast.Module, tokens: list[tokenize.TokenInfo], name: str
) -> dict[str, int]:
    """Tokens of each function and method, decorators left out."""
    counts = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.lineno
            last = node.end_lineno
            count = sum(first <= token.start[0] <= last for token in tokens)
            counts[f"{name}:{first} {node.name}"] = count
    return counts


def is_packed(node: ast.AST) -> bool:
    """Whether a node assigns several values to several names in one statement."""
    if not isinstance(node, ast.Assign):
        return False
    return isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Tuple)


def percentile(values: list[int], share: float) -> int:
    """The smallest value that is not exceeded by `share` of the values."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0


def describe(name: str, measures: Measures) -> str:
    """One line of the table."""
    functions = list(measures.function_tokens.values())
    lines = list(measures.file_lines.values())
    return (
        f"{name:<12}{sum(lines):>8}{len(lines):>7}{max(lines):>7}"
        f"{percentile(functions, 0.5):>8}{percentile(functions, 0.9):>7}{max(functions):>7}"
        f"{measures.tokens / max(measures.code_lines, 1):>10.1f}"
        f"{measures.packed / max(measures.assignments, 1):>8.0%}"
        f"{measures.long_lines:>7}{measures.skips:>7}"
    )


def measure_folder(folder: Path, root: Path = ROOT) -> Measures:
    """Measure all Python files below a folder."""
    measures = Measures()
    for path in sorted(folder.rglob("*.py")):
        measures.add(measure_file(path, root))
    return measures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--longest", type=int, default=0, help="also list the longest functions")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to measure")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    print(
        f"{'':<12}{'lines':>8}{'files':>7}{'max':>7}{'tok50':>8}{'tok90':>7}{'max':>7}"
        f"{'tok/line':>10}{'packed':>8}{'>100':>7}{'skips':>7}"
    )
    every = Measures()
    for folder in sorted(path.parent for path in root.glob("*/__init__.py")) + [root / "scripts"]:
        if folder.name == "tests":
            continue
        measures = measure_folder(folder, root)
        every.add(measures)
        print(describe(folder.name, measures))
    print(describe("all", every))
    ranked = sorted(every.function_tokens.items(), key=lambda item: -item[1])
    for function, count in ranked[: arguments.longest]:
        print(f"{count:>6}  {function}")


if __name__ == "__main__":
    main()
