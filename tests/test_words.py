"""The words of docs/glossary.md are those of the code, and words that are gone do not come back."""

import io
import re
import tokenize
from functools import cache

import pytest

from tests.pages import ROOT

ROOMS = ("files", "audio", "db", "query", "playback", "training", "sequencer", "synth", "demiurge")
GLOSSARY = ROOT / "docs" / "glossary.md"
MOST_WORDS = 34

# What is gone, as a pattern, and why. A word with another meaning in another place is named with
# its files in ELSEWHERE.
GONE = {
    r"held[ -]out": "validation",
    r"judg(e|es|ed|ing|ement|ements)": "validate, validation, or evaluate",
    r"adversar(y|ies)": "discriminator",
    r"verdicts?": "outputs of a discriminator",
    r"trainees?": "Trainable",
    r"belonging": "plans.locate",
    r"sounding": "OutputOptions, RenderOptions",
    r"seams?": "crossfade, join",
    r"rerendering": "render",
    r"whoever": "who, or the passive",
}
# Names of Python that are gone, and what is there instead.
GONE_NAMES = {
    "Draw": "SamplingOptions",
    "PlayedPlan": "WrittenOutputs",
    "Processes": "Distributed",
    "Rendering": "RenderResult",
    "Rerendering": "what has changed in a render",
    "Say": "Progress of files.progress",
    "Selection": "SearchSettings",
    "Sounding": "RenderOptions",
    "Tell": "Progress of files.progress",
    "play_plan": "write_outputs",
    "select_path": "find_path",
    "select_paths": "find_paths",
    "select_units": "filter_units",
    "update_average": "update_ema",
}
OLD_OPTIONS = ("demiurge/cli/options/moved.py", "docs/commands.md")  # says where they went
ELSEWHERE: dict[str, tuple[str, ...]] = {
    r"seams?": ("tests/demiurge/plans/test_edit.py",),  # the settings of 0.1.0
    r"judg(e|es|ed|ing|ement|ements)": OLD_OPTIONS,
    r"adversar(y|ies)": OLD_OPTIONS,
}


def entries() -> list[str]:
    rows = re.findall(r"^\| ([^|]+?) \| .+ \|$", GLOSSARY.read_text(), re.M)
    return [row for row in rows if row != "word"]


def test_glossary_is_short_and_says_each_word_once():
    words = entries()
    assert 20 <= len(words) <= MOST_WORDS
    assert len(set(words)) == len(words)


def test_each_word_of_the_glossary_is_in_the_code():
    code = "".join(path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    for word in entries():
        pattern = word.replace(" ", r"[ _\n]+")
        assert re.search(rf"(?<![a-z]){pattern}s?(?![a-z])", code, re.IGNORECASE), word


def files_of_words():
    """Python, Markdown, templates and the page's scripts, but for what tells of the past."""
    told = {ROOT / "CHANGELOG.md", GLOSSARY, ROOT / "tests" / "test_words.py"}
    told.add(ROOT / "scripts" / "make" / "fixtures_0_1_0.py")
    for folder in (*ROOMS, "scripts", "tests", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            is_text = path.suffix in (".py", ".md", ".html") or "static" in path.parts
            is_ours = not {"vendor", "fixtures", "__pycache__", "data"} & set(path.parts)
            if path.is_file() and is_text and is_ours and path not in told:
                yield path
    yield ROOT / "README.md"


def occurrences(pattern: str) -> list[str]:
    """Where a word is, in prose or in a name."""
    word = re.compile(rf"(?<![a-z])({pattern})(?![a-z])", re.IGNORECASE)
    found = []
    for path in files_of_words():
        name = path.relative_to(ROOT).as_posix()
        if name in ELSEWHERE.get(pattern, ()):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if word.search(line) and "0.1.0" not in line:
                found.append(f"{name}:{number}: {line.strip()}")
    return found


@pytest.mark.parametrize("pattern", sorted(GONE))
def test_word_is_gone(pattern):
    found = occurrences(pattern)
    assert not found, "say " + GONE[pattern] + ":\n" + "\n".join(found)


@cache
def names_in_code() -> dict[str, list[str]]:
    """Where each name of Python is used, without strings and comments."""
    found: dict[str, list[str]] = {}
    for path in files_of_words():
        if path.suffix != ".py":
            continue
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.NAME:
                place = f"{path.relative_to(ROOT).as_posix()}:{token.start[0]}"
                found.setdefault(token.string, []).append(place)
    return found


@pytest.mark.parametrize("name", sorted(GONE_NAMES))
def test_name_is_gone(name):
    found = names_in_code().get(name, [])
    assert not found, "now " + GONE_NAMES[name] + ":\n" + "\n".join(found)
