"""Options common to all training: length, validation, device."""

from dataclasses import asdict, dataclass
from typing import Any

from files.errors import ParameterError
from files.ranges import check_flag, check_integer, check_number
from training.precision import check_precision

MAX_STEPS = 1_000_000  # if no option limits the training
MOST_STEPS = 10**9  # that an option may ask for
MOST_BATCH = 1 << 16
MOST_SEED = (1 << 64) - 1
MOST_NUMBER = 1e30  # minutes, seconds, rates
INTEGERS = {  # the most of each
    "steps": MOST_STEPS,
    "epochs": MOST_STEPS,
    "patience": MOST_STEPS,
    "validate_steps": MOST_STEPS,
    "batch_size": MOST_BATCH,
    "log_steps": MOST_STEPS,
    "threads": MOST_BATCH,
}
SESSION = {  # what may differ from one run to the next
    "steps",
    "epochs",
    "minutes",
    "patience",
    "validate_minutes",
    "show_minutes",
    "device",
    "threads",
    "save_seconds",
    "log_steps",
}
POSITIVE_NUMBERS = ("minutes", "learning_rate", "validate_minutes", "show_minutes")


@dataclass(frozen=True)
class TrainingOptions:
    """Training options. None means no limit, or the default of the model that is trained.

    Training ends when any of `steps`, `epochs`, `minutes` and `patience` is used up. The model is
    validated every `validate_steps` steps, every `validate_minutes`, after each epoch if
    `validate_epochs`, and at the end.
    """

    steps: int = MAX_STEPS
    epochs: int | None = None
    minutes: float | None = None  # of this run
    patience: int | None = None  # epochs since the best validation
    validate_steps: int = 1000
    validate_minutes: float | None = None  # ignored if `steps` is the only limit
    validate_epochs: bool = False
    show_minutes: float | None = None  # between two sets of samples (pictures, sounds)
    batch_size: int = 16
    learning_rate: float | None = None
    precision: str = "float32"
    random_seed: int = 0
    device: str = "cpu"
    threads: int | None = None  # None: all
    save_seconds: float = 120.0  # at most, between two saves of the training state
    log_steps: int = 50  # between two lines of the log

    def __post_init__(self) -> None:
        for name, most in INTEGERS.items():
            if (value := getattr(self, name)) is not None:
                check_integer(name, value, 1, most)
        for name in POSITIVE_NUMBERS:
            if (value := getattr(self, name)) is not None:
                check_number(name, value, 0, MOST_NUMBER)
                if not value:
                    raise ParameterError(f"{name}={value} must be more than 0")
        check_flag("validate_epochs", self.validate_epochs)
        check_integer("random_seed", self.random_seed, 0, MOST_SEED)
        check_precision(self.precision)

    @property
    def validates_by_time(self) -> bool:
        """False if only steps limit the training, so that the random seed decides the result."""
        by_steps = self.minutes is None and self.steps < MAX_STEPS
        return self.validate_minutes is not None and not by_steps

    def lasting(self) -> dict[str, Any]:
        """Return the options that a resumed training inherits unless they are given."""
        return {name: value for name, value in asdict(self).items() if name not in SESSION}

    def identity(self) -> dict[str, Any]:
        """Return the options that affect the weights: not length, device, or number of runs."""
        names = ("validate_steps", "batch_size", "learning_rate", "precision", "random_seed")
        return {name: getattr(self, name) for name in names}
