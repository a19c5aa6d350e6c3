"""PortAudio over ALSA, without hardware: a device that goes nowhere, and files as devices.

None has a clock: they take and give as fast as they are served.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

CONFIGURATION = """
</usr/share/alsa/alsa.conf>
pcm.nowhere {{ type null }}
pcm.tape {{ type file slave.pcm {{ type null }} format raw file "{out}" }}
pcm.take {{ type file slave.pcm {{ type null }} format raw file "/dev/null" infile "{heard}" }}
"""


def run_with_alsa(folder: Path, script: str) -> subprocess.CompletedProcess:
    """Run Python with the devices `nowhere`, `tape` and `take`.

    What `tape` plays is in `out.raw`; `take` hears `heard.raw`, float32, of two channels.
    """
    (folder / "heard.raw").touch()
    configuration = folder / "asound.conf"
    configuration.write_text(
        CONFIGURATION.format(out=folder / "out.raw", heard=folder / "heard.raw")
    )
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "ALSA_CONFIG_PATH": str(configuration), "JACK_NO_START_SERVER": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def tape(folder: Path, channels: int = 2) -> np.ndarray:
    """Return what was played, (n_samples, channels)."""
    return np.fromfile(folder / "out.raw", np.float32).reshape(-1, channels)


def skip_without_portaudio(folder: Path) -> None:
    """Skip a test where PortAudio has no ALSA; fail where CI is set."""
    found = run_with_alsa(
        folder, "import sounddevice\nprint([d['name'] for d in sounddevice.query_devices()])"
    )
    if "tape" in found.stdout:
        return
    reason = "no PortAudio over ALSA: on Debian, apt install libportaudio2"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
