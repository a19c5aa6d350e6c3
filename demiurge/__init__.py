"""The program: chain from seed to WAV, plans, command line, web page, demo, benchmarks.

For scripts it has the names in `__all__` (docs/api.md), which are loaded when they are first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demiurge.bundled import CORPUS_DIR as CORPUS
    from demiurge.bundled import SEED_FILE as SEED
    from demiurge.facade.database import Database
    from demiurge.facade.forecaster import Forecaster
    from demiurge.facade.networks import Codec, Generator
    from demiurge.facade.rendered import Rendered
    from demiurge.facade.sound import Sound
    from files.errors import DemiurgeError as Error
    from playback.plan import Plan
    from playback.steps import Step
    from query.index import Matches

__all__ = [
    "CORPUS",
    "SEED",
    "Codec",
    "Database",
    "Error",
    "Forecaster",
    "Generator",
    "Matches",
    "Plan",
    "Rendered",
    "Sound",
    "Step",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals().update(_load(name))
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _load(name: str) -> dict[str, Any]:
    """Return a name and others that come with it; only what makes it takes time to import."""
    if name in ("CORPUS", "SEED"):
        from demiurge.bundled import CORPUS_DIR, SEED_FILE

        return {"CORPUS": CORPUS_DIR, "SEED": SEED_FILE}
    if name == "Error":
        from files.errors import DemiurgeError

        return {"Error": DemiurgeError}
    if name == "Sound":
        from demiurge.facade.sound import Sound

        return {"Sound": Sound}
    if name == "Forecaster":
        from demiurge.facade.forecaster import Forecaster

        return {"Forecaster": Forecaster}
    if name in ("Codec", "Generator"):
        from demiurge.facade.networks import Codec, Generator

        return {"Codec": Codec, "Generator": Generator}
    from demiurge.facade.database import Database
    from demiurge.facade.rendered import Rendered
    from playback.plan import Plan
    from playback.steps import Step
    from query.index import Matches

    found = {"Database": Database, "Rendered": Rendered, "Plan": Plan}
    return {**found, "Step": Step, "Matches": Matches}
