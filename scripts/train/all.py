"""Train all models that go on learning, one after the other, at low priority on one thread.

    python scripts/train/all.py MINUTES [--only NAME …] [--turn 30]
    python scripts/train/all.py --status
    python scripts/train/all.py --ship NAME

Begins or resumes the models of scripts/train/models.toml, in turns of 30 minutes, each time the one
that has had least processor time for its share. Everything is kept in .train, outside git: audio in
.train/music (made by scripts/make/training_music.py), models in .train/models, their messages in
.train/logs, and a line for each turn in .train/hours.jsonl. A model that fails is set aside, and
the exit status is then 1.

    kill $(cat .train/pid)          # or Ctrl-C: the model that trains saves, and everything ends
    kill -TSTP $(cat .train/pid)    # pauses the training at once
    kill -CONT $(cat .train/pid)    # continues it

--status prints the hours and the validation of each model. --ship copies the best weights of a
model, in 8 bits, into demiurge/data/weights.
"""

import argparse
import time
from pathlib import Path

from files.errors import DemiurgeError, ParameterError
from scripts.train.models import Model, Place, next_model, read_models
from scripts.train.turns import Turns

ROOT = Path(__file__).parents[2] / ".train"
SHORTEST_TURN = 0.1  # minutes; less would only load the model


def main() -> None:
    parser = make_parser()
    arguments = parser.parse_args()
    place = Place(arguments.root)
    asked = [arguments.minutes is not None, arguments.status, arguments.ship is not None]
    if sum(asked) != 1:
        parser.error("give one of MINUTES, --status and --ship NAME")
    try:
        models = choose(read_models(), arguments.only)
        if arguments.status:
            print(status(place, models))
        elif arguments.ship:
            from scripts.train.ship import ship

            print(f"written: {ship(place, choose(models, [arguments.ship])[0])}")
        elif not train(Turns(place), models, arguments.minutes, arguments.turn):
            raise SystemExit(1)
    except DemiurgeError as error:
        raise SystemExit(f"error: {error}") from error


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("minutes", type=float, nargs="?", help="how long to train, in all")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these models")
    parser.add_argument("--turn", type=float, default=30.0, help="minutes of a turn (default 30)")
    parser.add_argument("--root", type=Path, default=ROOT, help="default .train")
    parser.add_argument("--status", action="store_true", help="print hours and validation")
    parser.add_argument("--ship", metavar="NAME", help="copy a model's weights into the package")
    return parser


def choose(models: list[Model], names: list[str] | None) -> list[Model]:
    """Return the models of some names; raise ParameterError if there is none of a name."""
    known = {model.name: model for model in models}
    for name in names or ():
        if name not in known:
            raise ParameterError(f"{name}: no such model; choose of {', '.join(known)}")
    return [known[name] for name in names or known]


def train(turns: Turns, models: list[Model], minutes: float, turn_minutes: float) -> bool:
    """Take turns until the minutes are over or a signal asks to stop; return whether none failed.

    Each turn goes to the model with the least time for its share. One that fails gets no more.
    """
    end = time.monotonic() + 60 * minutes
    able = list(models)
    while able and not turns.stopping:
        left = (end - time.monotonic()) / 60
        if left < SHORTEST_TURN:
            break
        model = next_model(able, turns.place.hours())
        print(f"{model.name}: {min(turn_minutes, left):.3g} min", flush=True)
        turn = turns.take(model, min(turn_minutes, left))
        if turn["exit"] and not turns.stopping:
            able.remove(model)
            log = turns.place.root / "logs" / f"{model.name}.log"
            print(f"{model.name}: failed with exit status {turn['exit']}; see {log}", flush=True)
        else:
            print(f"{model.name}: {measures(turn['validation'])}", flush=True)
    return len(able) == len(models)


def status(place: Place, models: list[Model]) -> str:
    """Return a line for each model: hours, share, and the last and the kept validation."""
    hours = place.hours()
    lines = []
    for model in models:
        kept = place.kept(model)
        best = {"step": kept["step"], **kept.get("measures", {})} if kept else {}
        lines.append(
            f"{model.name:12} {hours.get(model.name, 0.0):6.1f} h  share {model.share:g}"
            f"  last: {measures(place.last_validation(model))}  kept: {measures(best)}"
        )
    return "\n".join(lines)


def measures(values: dict[str, float]) -> str:
    """Return measures in words."""
    return ", ".join(f"{name} {value:.5g}" for name, value in values.items()) or "nothing yet"


if __name__ == "__main__":
    main()
