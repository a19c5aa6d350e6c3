"""How far a knob turns: the value at a controller's position, and a step of a key."""

from demiurge.live.knobs import KNOBS, Knobs

MOST_POSITION = 127  # of a MIDI controller
CENTRE = 64
STEPS = 64  # of a key, over the whole range of a knob without a unit
WHOLE_UNITS = ("dB", "semitones", "bpm")  # whose steps are 1


def value_at(name: str, position: int) -> float:
    """Return the value of a knob at the position of a controller, 0 to 127.

    Position 64 is the middle of the range. Semitones are whole. Of times the short ones are spread,
    since the position counts in the square.
    """
    below = position / CENTRE / 2
    above = (position - CENTRE) / (MOST_POSITION - CENTRE) / 2 + 0.5
    value = _from_share(name, below if position <= CENTRE else above)
    return round(value) if KNOBS[name].unit == "semitones" else value


def stepped(knobs: Knobs, name: str, steps: int) -> float:
    """Return the value of a knob some steps further up (or down, if negative), in its range."""
    knob = KNOBS[name]
    now = float(getattr(knobs, name))
    if knob.is_switch:
        return float(steps > 0)
    if knob.is_integer or knob.unit in WHOLE_UNITS:
        wanted = now + steps
    else:
        share = min(max(_share_of(name, now) + steps / STEPS, 0.0), 1.0)
        wanted = round(_from_share(name, share), 4)
    return min(max(wanted, knob.least), knob.most)


def _from_share(name: str, share: float) -> float:
    """Return the value at a part of the knob's range, 0 to 1."""
    knob = KNOBS[name]
    curved = share**2 if knob.unit == "s" else share
    return knob.least + (knob.most - knob.least) * curved


def _share_of(name: str, value: float) -> float:
    knob = KNOBS[name]
    part = (value - knob.least) / (knob.most - knob.least)
    return part**0.5 if knob.unit == "s" else part
