"""The colours of sources in pictures of plans.

Of several databases, each has a hue, and its sources are shades of it. Hues and lightness were
chosen so that also people who are blind to some colours tell the first three apart; those of the
web page are the same.
"""

import math

from playback.plan import Plan

Colour = tuple[float, ...]  # red, green and blue, 0 to 1

OTHERS = (0.6, 0.6, 0.6)
HUES = ((265, -0.1), (58, 0.05), (190, 0.1), (345, 0.0), (110, 0.12), (20, -0.06))  # and lightness
SHADES = (0.0, 0.08, -0.07, 0.04, -0.035)
LIGHTNESS = 0.6
CHROMA = 0.14
GOLDEN_ANGLE = 137.508  # degrees between the hues of more databases


def database_colour(database: int, source: int = 0) -> Colour:
    """Return the colour of one of several databases, or of one of its sources, by number."""
    hue, level = HUES[database] if database < len(HUES) else (database * GOLDEN_ANGLE % 360, 0.0)
    return _from_oklch(LIGHTNESS + level + SHADES[source % len(SHADES)], CHROMA, hue)


def shades_of(plan: Plan, sources: list[str]) -> list[Colour]:
    """Return the colour of each source of several databases; grey of one outside of them."""
    roots = plan.roots
    numbers = {name: number for number, name in enumerate(roots.folders)}
    n_known = dict.fromkeys(roots.folders, 0)
    colours: list[Colour] = []
    for source in sources:
        name, _ = roots.split(source)
        if name not in numbers:
            colours.append(OTHERS)
            continue
        colours.append(database_colour(numbers[name], n_known[name]))
        n_known[name] += 1
    return colours


def palette() -> list[Colour]:
    """Return a colour for each of `pixel_sources.NAMED_SOURCES`, strong ones first, none grey."""
    from matplotlib import colormaps

    pairs = [colormaps["tab20"](number)[:3] for number in range(20)]  # strong, pale, strong, …
    strong = pairs[::2]
    pale = pairs[1::2]
    return [*strong[:7], *strong[8:], *pale[:3]]


def _from_oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """Return the colour of OKLCH (Ottosson 2020); what no screen shows is clipped."""
    a = chroma * math.cos(math.radians(hue))
    b = chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
    )
    return tuple(_encoded(min(max(value, 0.0), 1.0)) for value in linear)


def _encoded(value: float) -> float:
    """Return a linear intensity as sRGB encodes it."""
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
