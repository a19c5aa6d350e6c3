"""The audio of a plan's last revisions, for pages that still play an older one."""

from demiurge.web.timeline.rendered_audio import RenderedAudio

KEPT = 4  # distinct ones


class RecentAudio:
    """Audio by revision; several revisions may share it."""

    def __init__(self) -> None:
        self._by_revision: dict[int, RenderedAudio] = {}

    def add(self, revision: int, audio: RenderedAudio) -> None:
        """Keep a revision's audio; drop the oldest if there are too many."""
        recent = {**self._by_revision, revision: audio}
        kept = list(dict.fromkeys(reversed(recent.values())))[:KEPT]
        self._by_revision = {number: one for number, one in recent.items() if one in kept}

    def get(self, revision: int) -> RenderedAudio | None:
        return self._by_revision.get(revision)
