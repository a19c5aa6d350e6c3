"""Remake the bundled sounds from a folder of Sonic Pi samples and their copyright file.

    python scripts/make/corpus.py SAMPLES_DIR COPYRIGHT_FILE

Writes demiurge/data/corpus/*.ogg, demiurge/data/seed/*.ogg and demiurge/data/LICENSES.md. Only
files that the copyright file individually lists as CC0 are taken. The audio is the same each time,
but libsndfile gives each OGG file a new serial number.
"""

import re
import sys
from pathlib import Path

import numpy as np
import soundfile as sf

SEED = "loop_amen_full"
COMPRESSION = 0.45  # libsndfile's scale, 0 best to 1 smallest: everything fits in 5 MB
BLOCK_SAMPLES = 1 << 16
DATA = Path(__file__).parents[2] / "demiurge" / "data"

PREAMBLE = """\
# The bundled sounds

Recordings from the sample collection of Sonic Pi, each dedicated to the public domain under
[CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/) by its author, as stated file by file
in the copyright file of Debian's package `sonic-pi-samples`. Re-encoded as OGG Vorbis at their own
sample rate by `scripts/make/corpus.py`; files whose two channels are identical were made mono.
Nothing was cut.

The seed is not part of the corpus.

| file | author | origin | licence | seconds | channels | role |
|---|---|---|---|---|---|---|
"""


def cc0_files(copyright_file: Path) -> dict[str, dict[str, str]]:
    """Return the fields of every stanza that lists one sample as CC0, by the sample's stem."""
    found = {}
    for stanza in re.split(r"\n\s*\n", copyright_file.read_text()):
        fields = dict(re.findall(r"^(\w[\w-]*): *(.*)$", stanza, re.MULTILINE))
        path = fields.get("Files", "")
        if fields.get("License") == "CC0" and path.endswith(".flac") and "*" not in path:
            found[Path(path).stem] = fields
    return found


def encode(path: Path, out: Path) -> tuple[float, int]:
    """Write a sound as OGG; return its length in seconds and its number of channels."""
    samples, rate = sf.read(path, dtype="float32", always_2d=True)
    if samples.shape[1] == 2 and np.array_equal(samples[:, 0], samples[:, 1]):
        samples = samples[:, :1]
    out.parent.mkdir(parents=True, exist_ok=True)
    n_channels = samples.shape[1]
    options = {"format": "OGG", "compression_level": COMPRESSION}
    with sf.SoundFile(out, "w", rate, n_channels, "VORBIS", **options) as file:
        for start in range(0, len(samples), BLOCK_SAMPLES):
            file.write(samples[start : start + BLOCK_SAMPLES])
    return len(samples) / rate, n_channels


def main(samples_dir: Path, copyright_file: Path) -> None:
    rows = []
    for stem, fields in sorted(cc0_files(copyright_file).items()):
        path = samples_dir / f"{stem}.flac"
        if not path.exists():
            continue
        role = "seed" if stem == SEED else "corpus"
        seconds, channels = encode(path, DATA / role / f"{stem}.ogg")
        author = re.sub(r"^\d{4}\s+", "", fields.get("Copyright", "")).replace("|", "/")
        origin = fields.get("Source", "")
        cells = (f"{stem}.ogg", author, origin, "CC0 1.0", f"{seconds:.2f}", str(channels), role)
        rows.append(f"| {' | '.join(cells)} |\n")
    (DATA / "LICENSES.md").write_text(PREAMBLE + "".join(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
