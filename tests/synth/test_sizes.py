"""Sizes of a generator's training: names, and files that people write."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from files.errors import ParameterError
from synth.flow_options import FlowOptions
from synth.flow_sizes import SIZES as FLOW_SIZES
from synth.flow_sizes import FlowSizes
from synth.sizes import read_sizes
from synth.unagan_options import UnaganOptions
from synth.unagan_sizes import SIZES, UnaganSizes

PAGE = (Path(__file__).parents[2] / "docs" / "rooms" / "synth.md").read_text()


def test_names():
    assert read_sizes("published", SIZES) == UnaganSizes()
    assert read_sizes("small", SIZES) == SIZES["small"]
    assert read_sizes("small", FLOW_SIZES) == FlowSizes()
    assert SIZES["small"].width == 160


NAMED = {
    "published": (UnaganOptions, SIZES["published"]),
    "small": (UnaganOptions, SIZES["small"]),
    "small flow": (FlowOptions, FLOW_SIZES["small"]),
}


@pytest.mark.parametrize("name", NAMED)
def test_named_sizes_can_be_trained(name):
    make, sizes = NAMED[name]
    wanted = asdict(sizes)
    options = asdict(make(**wanted))
    assert {key: options[key] for key in wanted} == wanted


def test_first_sizes_are_the_defaults_of_training():
    assert UnaganOptions(**asdict(next(iter(SIZES.values())))) == UnaganOptions()
    assert FlowOptions(**asdict(next(iter(FLOW_SIZES.values())))) == FlowOptions()


def test_a_file_changes_what_it_names(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"width": 256, "cycle": false}')
    assert read_sizes(str(path), SIZES) == UnaganSizes(width=256, cycle=False)
    path.write_text(json.dumps(asdict(SIZES["small"])))
    assert read_sizes(str(path), SIZES) == SIZES["small"]
    path.write_text('{"width": 320, "clip_frames": 512}')
    assert read_sizes(str(path), FLOW_SIZES) == FlowSizes(width=320, clip_frames=512)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"widht": 256, "clip": 1}',
            "unknown clip, widht; the sizes of this architecture are width, discriminator_width,"
            " clip_frames, batch_size, cycle, adversarial_from, latent_order",
        ),
        ('{"width": 256.0}', "width=256.0 must be an integer"),
        ('{"width": "256"}', 'width="256" must be an integer'),
        ('{"width": true}', "width=true must be an integer"),
        ('{"cycle": 1}', "cycle=1 must be true or false"),
        ('{"cycle": null}', "cycle=null must be true or false"),
        ("[512]", "the document=[512] must be an object; write the sizes as a JSON object"),
        ("width: 512", "line 1, column 1: invalid character; write the sizes"),
        ("[" * 100_000, ""),
    ],
)
def test_wrong_files_are_refused(tmp_path, text, message):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(ParameterError, match=re.escape(f"{path}: {message}")):
        read_sizes(str(path), SIZES)


def test_sizes_of_another_architecture_are_refused(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"width": 256, "latent_order": 4}')
    message = (
        "unknown latent_order; the sizes of this architecture are patch_frames, width, layers,"
        " clip_frames, batch_size"
    )
    with pytest.raises(ParameterError, match=message):
        read_sizes(str(path), FLOW_SIZES)
    with pytest.raises(ParameterError, match="'published' is not known; choose small, or give a"):
        read_sizes("published", FLOW_SIZES)


def test_neither_a_name_nor_a_file(tmp_path):
    with pytest.raises(ParameterError, match="size 'tiny' is not known; choose published or small"):
        read_sizes("tiny", SIZES)
    with pytest.raises(ParameterError, match=r"none.json: cannot be read \(No such file"):
        read_sizes(str(tmp_path / "none.json"), SIZES)


def sizes_on_page(heading: str) -> list[dict[str, object]]:
    """Return the sizes in each column of a table of the room's page."""
    (rows,) = re.findall(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    columns: list[dict[str, object]] = []
    for row in rows.splitlines():
        names, *cells = [cell.strip() for cell in row.strip("|").split("|")][:-1]
        columns = columns or [{} for _ in cells]
        for column, cell in zip(columns, cells, strict=True):
            values = json.loads(f"[{cell}]")
            found = re.findall(r"`(\w+)`", names)
            column.update(zip(found, values * (len(found) // len(values)), strict=True))
    return columns


def test_the_page_of_the_room_shows_the_sizes(tmp_path):
    (example,) = re.findall(r"```json\n(.*)\n```", PAGE)
    (tmp_path / "mine.json").write_text(example)
    assert read_sizes(str(tmp_path / "mine.json"), SIZES).adversarial_from == 2000
    assert sizes_on_page("size of a UNAGAN") == [asdict(SIZES["published"]), asdict(SIZES["small"])]
    assert sizes_on_page("size of a flow") == [asdict(FLOW_SIZES["small"])]
