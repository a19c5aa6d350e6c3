"""Edits of text in lines: JSON lines, CSV, and the requests of the page."""

from random import Random

from scripts.fuzz import hostile_values
from scripts.fuzz.edit_json import edit_json

SEGMENTS = (
    *("-1", "99999", "1e3", "x", "%00", "..", "%2e%2e", "%ff", "a" * 3000, "{plan}", "٣"),
    *("9" * 18, "NaN", "a/b", "", "nul", "inf", "<script>", "0x10", "+1"),
)


def edit_json_lines(text: str, rng: Random) -> str:
    """Edit the JSON of a line, or the order of lines."""
    lines = text.split("\n")
    index = rng.randrange(len(lines))
    if rng.random() < 0.7 and lines[index].strip():
        lines[index] = edit_json(lines[index], rng)
        return "\n".join(lines)
    return move_lines(lines, index, rng)


def move_lines(lines: list[str], index: int, rng: Random) -> str:
    """Remove, repeat or move a line, or cut the text off."""
    choice = rng.randrange(5)
    if choice == 0:
        del lines[index]
    elif choice == 1:
        lines.insert(rng.randrange(len(lines)), lines[index])
    elif choice == 2:
        lines.insert(0, lines.pop(index))
    elif choice == 3:
        lines[index] = str(hostile_values.plain(rng))
    else:
        text = "\n".join(lines)
        return text[: rng.randrange(len(text) + 1)]
    return "\n".join(lines)


def edit_csv(text: str, rng: Random) -> str:
    """Edit a cell, a column or a line."""
    lines = text.split("\n")
    index = rng.choice((0, rng.randrange(len(lines))))
    cells = lines[index].split(",")
    column = rng.randrange(len(cells))
    choice = rng.randrange(6)
    if choice < 3:
        cells[column] = str(hostile_values.plain(rng))
        lines[index] = ",".join(cells)
    elif choice == 3:
        del cells[column]
        lines[index] = ",".join(cells)
    elif choice == 4:
        lines[index] = ",".join([*cells, cells[column]])
    else:
        return move_lines(lines, index, rng)
    return "\n".join(lines)


def edit_requests(text: str, rng: Random) -> str:
    """Edit the JSON of a request or a part of its address."""
    lines = text.split("\n")
    index = rng.randrange(len(lines))
    method, address, *bodies = lines[index].split(" ", 2)
    if bodies and rng.random() < 0.8:
        bodies = [edit_json(bodies[0], rng).replace("\n", " ")]
    elif rng.random() < 0.1:
        method = rng.choice(("GET", "POST", "PUT", "HEAD", "OPTIONS"))
    else:
        address = edit_address(address, rng)
    lines[index] = " ".join([method, address, *bodies])
    return "\n".join(lines)


def edit_address(address: str, rng: Random) -> str:
    """Replace a part of a path, or a value of a query."""
    path, mark, query = address.partition("?")
    segment = rng.choice(SEGMENTS)
    if query and rng.random() < 0.7:
        pairs = [pair.split("=") for pair in query.split("&")]
        pair = rng.choice(pairs)
        pair[-1 if rng.random() < 0.9 else 0] = segment
        return path + mark + "&".join("=".join(one) for one in pairs)
    parts = path.split("/")
    parts[rng.randrange(1, len(parts))] = segment
    return "/".join(parts) + mark + query
