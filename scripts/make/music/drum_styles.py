"""Styles of drumming: tempi, kits, and grooves of one bar, written as the strokes of each drum.

A groove has a letter for each step: `X` an accent, `x` a stroke, `g` a ghost note, `?` a stroke in
every second bar or so, `,` a ghost note in every third, `.` nothing. Sixteen steps are sixteenth
notes, twelve are triplets. The last groove of each drum is kept for validation.
"""

from dataclasses import dataclass

KICK = 36
STICK = 37
SNARE = 38
CLAP = 39
SWIRL = 40  # of a brush; in other kits the second snare
LOW_TOM = 41
CLOSED_HAT = 42
PEDAL_HAT = 44
MID_TOM = 45
OPEN_HAT = 46
CRASH = 49
HIGH_TOM = 50
RIDE = 51
SPLASH = 55
COWBELL = 56
HIGH_BONGO = 60
LOW_BONGO = 61
MUTE_CONGA = 62
HIGH_CONGA = 63
LOW_CONGA = 64
TIMBALE = 65
SHAKER = 70
CLAVES = 75

STANDARD = (*range(8), *range(8, 16), *range(16, 20))  # standard, room and power kits
ELECTRONIC = (24, 25)
JAZZ = (32, 33, 34, 35, 36)
BRUSHES = (40, 41, 42)

Grooves = dict[int, tuple[str, ...]]


@dataclass(frozen=True)
class Style:
    """A style of drumming.

    Attributes
    ----------
    tempo : (int, int), beats per minute
    kits : tuple of int, programs of bank 128
    grooves : dict, key to alternatives
    swing : (float, float)
        Range of the share of a pair of steps that its first lasts; 0.5 is even.
    looseness_ms : float, standard deviation of the strokes' times
    beats : int, of a bar
    fills : float, probability of a fill at the end of a phrase
    sampled : bool, whether it may be played by recorded strokes in place of the kits
    """

    tempo: tuple[int, int]
    kits: tuple[int, ...]
    grooves: Grooves
    swing: tuple[float, float] = (0.5, 0.5)
    looseness_ms: float = 4.0
    beats: int = 4
    fills: float = 0.7
    sampled: bool = True


ROCK = Style(
    tempo=(84, 172),
    kits=STANDARD,
    grooves={
        KICK: (
            "X.......X.......",
            "X.....x.X.......",
            "X.......X.x.....",
            "X..x..?.X.x..x..",
            "X.x.....X.x...?.",
        ),
        SNARE: ("....X.......X...", "....X..,....X..g", "....X.......X.?.", "....X.,g....X..,"),
        CLOSED_HAT: (
            "X.x.X.x.X.x.X.x.",
            "X...x...X...x...",
            "XgxgXgxgXgxgXgxg",
            "X.x.X.xgX.x.Xgx.",
        ),
        RIDE: ("................", "................", "X.x.X.x.X.x.X.x."),
        OPEN_HAT: ("................", "..............?.", "......?........."),
    },
)
FUNK = Style(
    tempo=(82, 124),
    kits=STANDARD,
    swing=(0.5, 0.58),
    grooves={
        KICK: (
            "X.x.......x..x..",
            "X..x..?...X.....",
            "X.....x.?.X..x..",
            "X.x....x..x.....",
            "X..?..x...x..X..",
        ),
        SNARE: (
            "....X..g.g..X..g",
            "....X..g,g.gX..,",
            "..g.X.g..g..X.g.",
            "....X..g.g.g..X.",
            ".g..X.g,.g..X.gg",
        ),
        CLOSED_HAT: (
            "XgxgXgxgXgxgXgxg",
            "X.xgX.x.X.xgX.x.",
            "XxxxXxxxXxxxXxx.",
            "XgxxXgx.XgxxXgx.",
        ),
        OPEN_HAT: ("................", "..............X.", "......?.......?."),
        COWBELL: ("................", "................", "x...x...x...x..."),
    },
)
HOUSE = Style(
    tempo=(116, 134),
    kits=(*ELECTRONIC, 16, 8),
    swing=(0.5, 0.6),
    looseness_ms=0.5,
    fills=0.35,
    grooves={
        KICK: ("X...X...X...X...", "X...X...X...X..?", "X...X...X...X.?."),
        CLAP: ("....X.......X...", "....X..,....X...", "....X.......X..?"),
        OPEN_HAT: ("..X...X...X...X.", "................", "..X...x...X...x."),
        CLOSED_HAT: ("x.g.x.g.x.g.x.g.", "xgxgxgxgxgxgxgxg", "x..gx..gx..gx..g"),
        STICK: ("................", "...x..x....x..?.", "..x..x..x..x..?."),
        SHAKER: ("................", "gxxggxxggxxggxxg", "xggxxggxxggxxggx"),
        HIGH_CONGA: ("................", "..x..x....x..?..", "x..x...x..x....."),
    },
)
BREAKBEAT = Style(
    tempo=(130, 175),
    kits=(*STANDARD, *ELECTRONIC),
    swing=(0.5, 0.55),
    looseness_ms=3.0,
    grooves={
        KICK: (
            "X.x.......xx....",
            "X.........X..x..",
            "X..x......X.....",
            "X.x...x...X..?..",
            "X.....x.?.x.....",
        ),
        SNARE: (
            "....X..g.g..X..g",
            "....X..x....X...",
            "....X..g.g...gX.",
            "..g.X..g....X.,x",
            "....X.g..x..X..g",
        ),
        CLOSED_HAT: ("X.x.X.x.X.x.X.x.", "xgxgxgxgxgxgxgxg", "X.xxX.x.X.xxX.x."),
        RIDE: ("................", "X.x.X.x.X.x.X.x.", "X..xX.x.X..xX.x."),
        OPEN_HAT: ("................", "..........?.....", "..............x."),
    },
)
LATIN = Style(
    tempo=(88, 136),
    kits=STANDARD,
    grooves={
        KICK: ("x.....x.x.....x.", "x..x..x.x..x..x.", "......x.......x.", "x.....xxx.....xx"),
        STICK: ("x..x..x...x.x...", "x..x...x..x.x...", "..x.x...x..x..x.", "x..x..x....x..x."),
        CLOSED_HAT: ("x.x.x.x.x.x.x.x.", "................", "xgxgxgxgxgxgxgxg"),
        COWBELL: ("X.x.X.xxX.x.X.x.", "................", "X...X...X...X...", "X.xxX.x.X.xxX.x."),
        MUTE_CONGA: ("x..gX..gx..gX...", "g.xgX.g.g.xgX.g.", "g.ggX.ggg.ggX.g."),
        HIGH_CONGA: ("..............xx", "......x.......xx", "......xx......x."),
        LOW_CONGA: ("......xx........", "..........xx....", "...xx.........xx"),
        HIGH_BONGO: ("................", "X.g.x.g.X.g.x.g.", "X.gxx.g.X.gxx.g."),
        SHAKER: ("................", "XggxXggxXggxXggx", "gxXxgxXxgxXxgxXx"),
        TIMBALE: ("................", "X.x.x.xxx.xxx.x.", "x.xxx.x.xxx.x.xx"),
        CLAVES: ("................", "X..X..X...X.X...", "..X.X...X..X..X."),
    },
)
HIP_HOP = Style(
    tempo=(70, 102),
    kits=(*ELECTRONIC, *STANDARD),
    swing=(0.52, 0.66),
    looseness_ms=8.0,
    fills=0.35,
    grooves={
        KICK: (
            "X......x..X.....",
            "X.x....?..X..x..",
            "X.........X.....",
            "X..x...x.xX.....",
            "X.....?x.xX....?",
        ),
        SNARE: ("....X.......X...", "....X..,....X.,g", "....X.......X..g", "....X.,.....X..?"),
        CLOSED_HAT: (
            "x.x.x.x.x.x.x.x.",
            "xgx.x.xgx.x.xgx.",
            "xxxxx.xxx.xxxxx.",
            "x..xx.x.x..xx.xx",
        ),
        CLAP: ("................", "....x.......x...", "............x..."),
        OPEN_HAT: ("................", "..............?.", "......?........."),
        SHAKER: ("................", "..g...g...g...g.", ".g.g.g.g.g.g.g.g"),
    },
)
JAZZ_SWING = Style(
    tempo=(96, 168),
    kits=JAZZ,
    looseness_ms=7.0,
    grooves={
        RIDE: ("X..X.xX..X.x", "X.xX..X.xX..", "X..X..X..X.x", "X..X.xX..X.."),
        PEDAL_HAT: ("...x.....x..", "...x.....x..", "...x.....x.."),
        KICK: ("g..g..g..g..", ".....,......", "..,..?......", "g....?...,.."),
        SNARE: ("..,..g..,..,", ".....?..,...", ",..,.g.....?", "..g..,..?..,"),
    },
)
JAZZ_BRUSHES = Style(
    tempo=(70, 140),
    kits=BRUSHES,
    looseness_ms=9.0,
    fills=0.4,
    sampled=False,
    grooves={
        SWIRL: ("x.....x.....", "x..x..x..x..", "x..g..x..g.."),
        SNARE: ("...X.g...X.g", "g..x.gg..x.g", "...X..,..X.,", "g..X..g..X.."),
        PEDAL_HAT: ("...x.....x..", "...x.....x..", "...x.....x.."),
        KICK: ("g.....g.....", "............", "g....,g....,"),
        RIDE: ("............", "X..X.xX..X.x", "x..x..x..x.x"),
    },
)
SLOW_BLUES = Style(
    tempo=(70, 108),
    kits=STANDARD,
    looseness_ms=6.0,
    grooves={
        KICK: ("X.....X.....", "X....xX.....", "X..,.xX..?.."),
        SNARE: ("...X.....X..", "...X.,...X.g", "...X.....X.?"),
        CLOSED_HAT: ("XxxXxxXxxXxx", "x..x.xx..x.x", "X.xX.xX.xX.x"),
        RIDE: ("............", "............", "XgxXgxXgxXgx"),
    },
)
STYLES = {
    "rock": ROCK,
    "funk": FUNK,
    "house": HOUSE,
    "breakbeat": BREAKBEAT,
    "latin": LATIN,
    "hip-hop": HIP_HOP,
    "swing": JAZZ_SWING,
    "brushes": JAZZ_BRUSHES,
    "blues": SLOW_BLUES,
}
