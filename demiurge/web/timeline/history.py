"""The versions of an edited plan, for undo and redo."""

from files.errors import ParameterError
from playback.plan import Plan

MOST_VERSIONS = 200
MOST_STEPS = 1_000_000  # in all versions, of 144 bytes each


class History:
    """Versions of a plan in order, one of which is current, and the edits between them."""

    def __init__(self, plan: Plan, *, most_versions: int = MOST_VERSIONS) -> None:
        self._versions = [plan]
        self._labels = ["opened"]  # of the edit that led to each version
        self._current = 0
        self._saved = plan
        self._most_versions = most_versions

    @property
    def plan(self) -> Plan:
        """The current version."""
        return self._versions[self._current]

    @property
    def undo_label(self) -> str | None:
        """The edit that `undo` would take back; None if there is none."""
        return self._labels[self._current] if self._current else None

    @property
    def redo_label(self) -> str | None:
        """The edit that `redo` would make again; None if there is none."""
        following = self._current + 1
        return self._labels[following] if following < len(self._labels) else None

    @property
    def is_saved(self) -> bool:
        return self.plan is self._saved

    def mark_saved(self, plan: Plan) -> None:
        self._saved = plan

    def add(self, plan: Plan, label: str) -> None:
        """Add a version after the current one.

        Undone versions are dropped, and the oldest ones if there are too many.
        """
        self._versions[self._current + 1 :] = [plan]
        self._labels[self._current + 1 :] = [label]
        while len(self._versions) > 2 and self._is_too_long():
            del self._versions[0], self._labels[0]
        self._current = len(self._versions) - 1

    def _is_too_long(self) -> bool:
        n_steps = sum(len(version.steps) for version in self._versions)
        return len(self._versions) > self._most_versions or n_steps > MOST_STEPS

    def neighbour(self, offset: int) -> Plan:
        """Return the version before (-1) or after (1) the current one.

        Raises
        ------
        ParameterError
            If there is none.
        """
        number = self._current + offset
        if not 0 <= number < len(self._versions):
            what = "undo" if offset < 0 else "redo"
            raise ParameterError(f"there is nothing to {what}; edit the plan first")
        return self._versions[number]

    def move(self, offset: int) -> None:
        """Make a `neighbour` the current version."""
        self._current += offset
