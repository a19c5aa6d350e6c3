"""What a build did."""

from dataclasses import dataclass, field

from files.names import is_utf8, printable


@dataclass
class BuildReport:
    """The result of a build.

    Attributes
    ----------
    added, changed, unchanged, vanished : list of str
        Paths relative to the corpus root, as everywhere here.
    renamed : list of (old, new)
    read_anew : list of str
        Files that have not changed, but were refused before, or cut short by an earlier version.
    failed : list of (path, reason)
        Files and folders.
    warnings : list of (path, text)
        Of the files that this build has analysed.
    renders : list of str
        Files that are left out, since Demiurge rendered them.
    own_folders : list of str
        Folders that are left out, since Demiurge wrote what is in them.
    pruned : bool
        True if the vanished sources were removed.
    audio_seconds : float
        Of sources analysed in this build.
    seconds : float
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    read_anew: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    renders: list[str] = field(default_factory=list)
    own_folders: list[str] = field(default_factory=list)
    pruned: bool = False
    audio_seconds: float = 0.0
    seconds: float = 0.0

    def add_failure(self, name: str, reason: str) -> None:
        """Add a file or folder that cannot be used; its name may contain any bytes."""
        self.failed.append((name if is_utf8(name) else printable(name), reason))
