"""Kits made of the bundled recordings of single strokes (CC0), and the bundled drum loops."""

from pathlib import Path

import numpy as np

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR, SEED_FILE
from scripts.make.music.drum_styles import (
    CLAP,
    CLAVES,
    CLOSED_HAT,
    COWBELL,
    CRASH,
    HIGH_BONGO,
    HIGH_CONGA,
    HIGH_TOM,
    KICK,
    LOW_BONGO,
    LOW_CONGA,
    LOW_TOM,
    MID_TOM,
    MUTE_CONGA,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    SHAKER,
    SNARE,
    SPLASH,
    STICK,
    TIMBALE,
)
from scripts.make.music.score import Note

RATE = 44_100
TUNING = 1.26  # a stroke is played up to four semitones higher or lower
CHOKE_SAMPLES = 1000  # 23 ms, in which a stroke ends the one before
SHORTEST_LOOP = 12.0  # seconds; shorter loops are repeated
LOOP_SPEEDS = (1.0, 0.87, 1.13)

# Recordings of each drum, as patterns of file names. Of five or more, the last two are kept for
# validation.
STROKES = {
    KICK: "bd_* drum_bass_* drum_heavy_kick elec_hollow_kick elec_soft_kick",
    STICK: "perc_snap perc_snap2 elec_tick elec_wood elec_pop tabla_te1 tabla_te2",
    SNARE: "sn_* drum_snare_* elec_*snare",
    CLAP: "perc_snap perc_snap2 elec_flip elec_hi_snare sn_dub",
    CLOSED_HAT: "drum_cymbal_closed drum_cymbal_pedal elec_tick elec_cymbal elec_blip elec_plip",
    PEDAL_HAT: "drum_cymbal_pedal drum_cymbal_closed",
    OPEN_HAT: "drum_cymbal_open drum_splash_soft elec_cymbal",
    CRASH: "drum_cymbal_hard drum_splash_hard",
    SPLASH: "drum_splash_hard drum_splash_soft",
    RIDE: "drum_cymbal_soft drum_splash_soft elec_triangle elec_cymbal",
    LOW_TOM: "drum_tom_lo_* elec_fuzz_tom tabla_ghe1 tabla_ghe2",
    MID_TOM: "drum_tom_mid_* elec_fuzz_tom tabla_ghe3 tabla_ghe4",
    HIGH_TOM: "drum_tom_hi_* elec_fuzz_tom tabla_ghe5 tabla_ghe6",
    COWBELL: "drum_cowbell elec_bell perc_bell elec_bong",
    MUTE_CONGA: "tabla_ke* tabla_te_m tabla_tas*",
    HIGH_CONGA: "tabla_na tabla_na_o tabla_na_s tabla_tun*",
    LOW_CONGA: "tabla_ghe* tabla_dhec tabla_re",
    HIGH_BONGO: "tabla_tas* tabla_te_ne tabla_na_s",
    LOW_BONGO: "tabla_tun* tabla_re",
    TIMBALE: "drum_tom_hi_hard elec_twip elec_ping tabla_na_o",
    SHAKER: "drum_cymbal_pedal perc_swash vinyl_scratch",
    CLAVES: "elec_wood elec_pop elec_blip2 perc_till",
}
CHOKES = {CLOSED_HAT: OPEN_HAT, PEDAL_HAT: OPEN_HAT}
LOOPS = {
    "train": ("loop_breakbeat", "loop_garzul", "loop_mika", "loop_tabla", "drum_roll"),
    "validation": ("loop_amen", "loop_amen_full", "loop_compus", "loop_industrial", "loop_safari"),
}


def read_sound(name: str) -> np.ndarray:
    """Read a bundled sound as mono at `RATE`; raise SystemExit if there is none."""
    path = SEED_FILE if SEED_FILE.stem == name else CORPUS_DIR / f"{name}.ogg"
    if not path.exists():
        raise SystemExit(f"{path} is missing; make it again with scripts/make/corpus.py")
    samples, info = read_mono(path)
    return resample(samples, info.sample_rate, RATE)


class SampledKit:
    """A random choice of recorded strokes, each at a random speed."""

    def __init__(self, rng: np.random.Generator, *, validation: bool) -> None:
        self.strokes: dict[int, np.ndarray] = {}
        for key, patterns in STROKES.items():
            names = names_of(patterns)
            if len(names) >= 5:
                names = names[-2:] if validation else names[:-2]
            sound = read_sound(str(rng.choice(names)))
            speed = TUNING ** rng.uniform(-1.0, 1.0)
            level = rng.uniform(0.5, 1.0) / max(float(np.abs(sound).max()), 1e-3)
            self.strokes[key] = level * resample(sound, round(RATE * speed), RATE)

    def render(self, notes: list[Note]) -> np.ndarray:
        """Play the notes, of which the kit must have the keys; return audio at `RATE`."""
        longest = max(map(len, self.strokes.values()))
        out = np.zeros(round(notes[-1].start * RATE) + longest, np.float32)
        ends = self._ends(notes)
        for note, end in zip(notes, ends, strict=True):
            stroke = self.strokes[note.key][: max(end, CHOKE_SAMPLES)].copy()
            if end < len(self.strokes[note.key]):
                stroke[-CHOKE_SAMPLES:] *= np.linspace(1.0, 0.0, len(stroke[-CHOKE_SAMPLES:]))
            start = round(note.start * RATE)
            out[start : start + len(stroke)] += (note.velocity / 127) ** 1.6 * stroke
        return out

    def _ends(self, notes: list[Note]) -> list[int]:
        """Return how many samples each note can sound, until a stroke that ends it."""
        following: dict[int, float] = {}
        ends = []
        for note in reversed(notes):
            until = following.get(note.key, np.inf)
            ends.append(int(min((until - note.start) * RATE, 1 << 30)))
            following[note.key] = note.start
            if note.key in CHOKES:
                following[CHOKES[note.key]] = note.start
        return ends[::-1]


def names_of(patterns: str) -> list[str]:
    """Return the bundled sounds that match one of some patterns, in order."""
    found = [
        path.stem for pattern in patterns.split() for path in CORPUS_DIR.glob(f"{pattern}.ogg")
    ]
    return sorted(set(found))


def loops(part: str) -> dict[str, np.ndarray]:
    """Return the drum loops of a part at `RATE` by name, repeated; to train on, at three speeds."""
    found = {}
    for name in LOOPS[part]:
        sound = read_sound(name)
        for speed in LOOP_SPEEDS if part == "train" else LOOP_SPEEDS[:1]:
            played = resample(sound, round(RATE * speed), RATE)
            times = int(np.ceil(SHORTEST_LOOP * RATE / len(played)))
            found[f"{name}_{speed:g}"] = np.tile(played, times)
    return found


def bundled_names(*, without: tuple[str, ...]) -> list[str]:
    """Return the names of all bundled sounds but some."""
    return sorted({path.stem for path in Path(CORPUS_DIR).glob("*.ogg")} - set(without))
