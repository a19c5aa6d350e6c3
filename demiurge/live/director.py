"""When a session plays: what each mode does about the input, and about being told to."""

from typing import Protocol

LEAST_HEARD_SECONDS = 1.0  # of sound, before it is continued by itself


class Hearing(Protocol):
    """What is known about the input."""

    @property
    def is_silent(self) -> bool: ...


class Director:
    """Decides, unit by unit, whether to play.

    continue   is silent while it hears something, and goes on once that ends, or when told
    mosaic     plays while there is an input
    accompany  plays while there is an input
    free       plays

    Attributes
    ----------
    is_silenced : bool
        True after panic, until go.
    heard : float
        Seconds of sound since the session last played.
    """

    def __init__(self) -> None:
        self.is_silenced = False
        self.heard = 0.0
        self._plays = False
        self._told = False

    def obey(self, command: str) -> None:
        """Take note of go, listen or panic; other commands are not about this."""
        if command == "panic":
            self.is_silenced = True
            self._told = False
        elif command == "go":
            self.is_silenced = False
            self._told = True
        elif command == "listen":
            self._told = False
            self._plays = False
            self.heard = 0.0

    def plays(self, mode: str, hearing: Hearing | None, seconds: float) -> bool:
        """Return whether to play for the next `seconds`.

        Without an input, `hearing` is None.
        """
        if self.is_silenced:
            self._plays = False
        elif mode == "continue":
            self._plays = self._goes_on(hearing, seconds)
        else:
            self._told = False  # go is about what follows it
            self._plays = mode == "free" or (hearing is not None and not hearing.is_silent)
        return self._plays

    def _goes_on(self, hearing: Hearing | None, seconds: float) -> bool:
        if hearing is None:
            return self._plays or self._told
        if hearing.is_silent:
            if self._told or self._plays:
                self._told = False
                return True
            return self.heard >= LEAST_HEARD_SECONDS
        if self._told:  # over what still sounds
            return True
        if self._plays:  # the input has begun again
            self.heard = 0.0
        self.heard += seconds
        return False
