"""A TorchScript file: networks together with their code, in a language that torch runs.

That language has no files, no network and no Python. It can still loop for ever, fill the memory,
and reach whatever faults torch has: a file from a stranger is not harmless.
"""

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import xxhash
from torch import Tensor

from files.errors import CheckpointError
from files.regular import read_regular

MAX_BYTES = 1 << 32
NOT_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, OSError, EOFError)
REMEDY = "give a .ts file that RAVE exported, or download it again"


class Script:
    """The module of a TorchScript file.

    Attributes
    ----------
    path : Path
    hash : str
        XXH3-128 of the file's bytes.
    module : torch.jit.ScriptModule
        In evaluation mode.
    device : torch.device
    """

    def __init__(self, path: str | Path, *, device: torch.device | str = "cpu") -> None:
        """Read the file.

        Raises
        ------
        CheckpointError
            If it cannot be read, is damaged, or is no TorchScript.
        """
        self.path = Path(path)
        self.device = torch.device(device)
        data = read_regular(path, error=CheckpointError, remedy=REMEDY, max_bytes=MAX_BYTES)
        self.hash = xxhash.xxh3_128_hexdigest(data)
        _check_archive(path, data)
        try:
            with _without_deprecations():
                module: Any = torch.jit.load(io.BytesIO(data), map_location=self.device)
        except Exception as error:  # of zip, of unpickling, of code: they have no common class
            raise CheckpointError(
                f"{path}: torch cannot load it ({last_line(error)}); {REMEDY}"
            ) from error
        self.module = module.eval()

    def has_method(self, name: str) -> bool:
        """Return whether the module has a method that can be called."""
        return isinstance(getattr(self.module, name, None), torch.ScriptMethod) or (
            name == "forward" and self.module._c._has_method("forward")
        )

    def call(self, method: str, *arguments: Any) -> Any:
        """Return what a method gives.

        Raises
        ------
        CheckpointError
            If it fails, in one line.
        """
        try:
            with torch.jit.optimized_execution(False):  # else the first calls recompile it, slowly
                return getattr(self.module, method)(*arguments)
        except Exception as error:  # whatever its code raises
            raise CheckpointError(
                f"{self.path}: its method {method} failed ({last_line(error)}); export it again"
            ) from error

    def buffer(self, name: str) -> Tensor | None:
        """Return a buffer of the module itself, or None if there is none."""
        return dict(self.module.named_buffers(recurse=False)).get(name)

    def integer(self, name: str) -> int | None:
        """Return an attribute or a buffer of one integer, or None if there is none."""
        value = getattr(self.module, name, None)
        if isinstance(value, Tensor) and value.numel() == 1 and not value.is_floating_point():
            value = int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Compute without gradients, with torch's random numbers begun at `seed`."""
        devices = [] if self.device.type == "cpu" else [self.device]
        with torch.random.fork_rng(devices), torch.inference_mode():
            torch.manual_seed(seed)
            yield


def _check_archive(path: str | Path, data: bytes) -> None:
    """Refuse a file that is no TorchScript, or has a part that is not as it was written."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > MAX_BYTES:
                raise CheckpointError(
                    f"{path}: its parts unpack to over {MAX_BYTES} bytes; {REMEDY}"
                )
            if not any(part.filename.endswith("/constants.pkl") for part in parts):
                raise CheckpointError(
                    f"{path}: an archive without code, no TorchScript; export the model with"
                    " RAVE's own command, and give the .ts file that it writes"
                )
            broken = archive.testzip()
    except NOT_ZIP as error:
        raise CheckpointError(f"{path}: no TorchScript, or damaged; {REMEDY}") from error
    if broken:
        raise CheckpointError(f"{path}: damaged (in its part {broken}); {REMEDY}")


def last_line(error: Exception) -> str:
    """Return the last line of an error, which for TorchScript is what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].split(". ")[0].rstrip(".") if lines else type(error).__name__


@contextmanager
def _without_deprecations() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
