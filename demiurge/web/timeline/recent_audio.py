"""The audio of a plan's last revisions, for pages that still play an older one."""

from demiurge.web.timeline.mixes import Voices
from demiurge.web.timeline.rendered_audio import RenderedAudio

KEPT = 4  # distinct ones

Key = tuple[int, Voices | None]  # revision, and voices that are heard: None for all


class RecentAudio:
    """Audio by revision and voices; several revisions may share it."""

    def __init__(self) -> None:
        self._by_key: dict[Key, RenderedAudio] = {}

    def add(self, revision: int, audio: RenderedAudio, voices: Voices | None = None) -> None:
        """Keep a revision's audio; drop the oldest if there are too many."""
        recent = {**self._by_key, (revision, voices): audio}
        kept = list(dict.fromkeys(reversed(recent.values())))[:KEPT]
        self._by_key = {key: one for key, one in recent.items() if one in kept}

    def has(self, revision: int) -> bool:
        """Return whether any audio of a revision is kept."""
        return any(number == revision for number, _ in self._by_key)

    def get(self, revision: int, voices: Voices | None = None) -> RenderedAudio | None:
        return self._by_key.get((revision, voices))
