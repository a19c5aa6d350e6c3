"""Export a plan as a REAPER project that plays as our render does.

There is one item per step, with its gain, fades, envelope and way of playing. Neighbours overlap in
their fades, so items alternate between two tracks, on which no two touch. REAPER's own crossfades
of overlapping items therefore never apply. Of several voices, each has two such tracks, in a folder
track, whose fader is the voice's. A gain that glides is a part of the envelopes.

A take with a play rate has its own clock: offsets into the source and points of its envelope run at
that rate. A reversed take plays a section of its source backwards; the section is exactly what is
heard. Panning to the centre does not change the level (PANLAW 1), as in our render. A stereo source
in a mono project is mixed down; a mono source in a project of more than two channels plays on the
first two only.

Format: https://github.com/ReaTeam/Doc/blob/master/State%20Chunk%20Definitions, for envelopes at
other rates https://github.com/jcsteh/osara/pull/713
"""

from __future__ import annotations

import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from audio.decibels import to_amplitude
from files.errors import PlanError
from playback.exports.names import source_path, tracks_of, unit_name

if TYPE_CHECKING:
    from files.roots import Roots
    from playback.cues import Cue
    from playback.plan import Plan

# kinds of sources by suffix; the others are WAVE
SOURCE_TYPES = {
    ".flac": "FLAC",
    ".ogg": "VORBIS",
    ".oga": "VORBIS",
    ".opus": "OPUS",
    ".mp3": "MP3",
}
QUOTES = ('"', "'", "`")
# channel modes of a take
NORMAL = 0
MONO = 2
SECTION_REVERSED = 2
# places of a track in a folder
FOLDER = "1 1"
FOLDER_END = "2 -1"
ENVELOPE_MAX = 1.99  # +6 dB
# a colour is a flag and 24 bits; none may be too dark to read names on
COLOR_SET = 0x1000000
LIGHT = 0x606060


def export_reaper(plan: Plan, cues: list[Cue], roots: Roots) -> str:
    """Return the text of the project.

    Raises
    ------
    PlanError
        If a file's name has a line break, or all three kinds of quotes that REAPER knows.
    """
    channels = max(2, plan.channels + plan.channels % 2)  # a track has an even number of channels
    lines = [
        '<REAPER_PROJECT 0.1 "6.0" 0',
        "  RIPPLE 0",
        "  AUTOXFADE 0",
        "  PANLAW 1",
        "  TIMELOCKMODE 0",
        "  TEMPO 120 4 4",
        f"  SAMPLERATE {plan.sample_rate} 1 0",
        f"  MASTER_NCH {channels} 2",
        "  MASTER_VOLUME 1 0 -1 -1 1",
    ]
    for voice, tracks in tracks_of(plan, cues).items():
        end = ""
        if plan.n_voices > 1:
            lines += [*_track_head(f"voice {voice}", channels, FOLDER), "  >"]
            end = FOLDER_END
        for (name, part), folder in zip(tracks.items(), ("", end), strict=True):
            lines += _track_head(name, channels, folder)
            for cue in part:
                lines += ["    " + line for line in _item(plan, cue, roots)]
            lines.append("  >")
    return "\n".join([*lines, ">", ""])


def _track_head(name: str, channels: int, folder: str) -> list[str]:
    """Return the first lines of a track; `folder` says whether it begins or ends a folder."""
    return [
        "  <TRACK",
        f'    NAME "{name}"',
        "    VOLPAN 1 0 -1 -1 1",
        *([f"    ISBUS {folder}"] if folder else []),
        f"    NCHAN {channels}",
        "    MAINSEND 1 0",
    ]


def _item(plan: Plan, cue: Cue, roots: Roots) -> list[str]:
    step = cue.step
    rate = plan.sample_rate
    start, length = _span(cue)
    source = _source(cue, roots, _seconds(start, rate), _seconds(length, rate))
    color = COLOR_SET | LIGHT | zlib.crc32(step.source.encode()) & 0xFFFFFF
    return [
        "<ITEM",
        f"  POSITION {_seconds(cue.at_sample, rate)}",
        "  SNAPOFFS 0",
        f"  LENGTH {_seconds(cue.n_samples, rate)}",
        "  LOOP 0",
        f"  COLOR {color}",
        f"  FADEIN 0 {_seconds(cue.fade_in, rate)} 0 0 0 0 0",
        f"  FADEOUT 0 {_seconds(cue.fade_out, rate)} 0 0 0 0 0",
        f"  NAME {_quoted(unit_name(step))}",
        f"  VOLPAN 1 0 {to_amplitude(step.gain_db) * _excess(cue):.14f} -1",
        f"  SOFFS {_seconds(0 if step.reverse else start, rate)}",
        f"  PLAYRATE {1 / step.stretch:.14f} 1 {step.transpose:.14f} -1",
        f"  CHANMODE {MONO if plan.channels == 1 else NORMAL}",
        *("  " + line for line in (*source, *_envelope(cue, rate))),
        ">",
    ]


def _span(cue: Cue) -> tuple[float, float]:
    """Return the start and length of a cue in its source, in samples, including overlaps."""
    step = cue.step
    lead = cue.lead / step.stretch
    length = cue.n_samples / step.stretch
    if not step.reverse:
        return max(0.0, step.start_sample - lead), length
    end = step.end_sample + lead  # end of the section, where playing backwards begins
    start = max(0.0, end - length)
    return start, end - start


def _source(cue: Cue, roots: Roots, start: str, length: str) -> list[str]:
    path = source_path(cue, roots)
    if all(quote in path for quote in QUOTES):
        raise PlanError(
            f"step {cue.number}: {path} contains all of \" ' `, but REAPER needs one to quote it;"
            " rename the file"
        )
    kind = SOURCE_TYPES.get(PurePosixPath(cue.step.source).suffix.lower(), "WAVE")
    file = [f"<SOURCE {kind}", f"  FILE {_quoted(path)}", ">"]
    if not cue.step.reverse:
        return file
    section = [f"LENGTH {length}", f"MODE {SECTION_REVERSED}", f"STARTPOS {start}", "OVERLAP 0"]
    return ["<SOURCE SECTION", *("  " + line for line in (*section, *file)), ">"]


def _envelope(cue: Cue, rate: int) -> list[str]:
    if all(gain == 1 for _, gain in cue.envelope):
        return []
    excess = _excess(cue)
    points = [
        f"  PT {_seconds(offset / cue.step.stretch, rate)} {gain / excess:.14f} 0"
        for offset, gain in cue.envelope
    ]
    return [
        "<VOLENV",
        "  ACT 1 -1",
        "  VIS 1 1 1",
        "  LANEHEIGHT 0 0",
        "  ARM 0",
        "  DEFSHAPE 0 -1 -1",
        *points,
        ">",
    ]


def _excess(cue: Cue) -> float:
    """Return the part of the gain that goes into the take's volume: envelopes end at +6 dB."""
    return max(1.0, max(gain for _, gain in cue.envelope) / ENVELOPE_MAX)


def _seconds(samples: float, rate: int) -> str:
    return f"{samples / rate:.14f}"


def _quoted(text: str) -> str:
    quote = next(quote for quote in QUOTES if quote not in text)
    return f"{quote}{text}{quote}"
