"""The sounds that come with Demiurge (demiurge/data/LICENSES.md).

They are a corpus (CC0), and a seed that is not part of it.
"""

from pathlib import Path

DATA = Path(__file__).parent / "data"
CORPUS_DIR = DATA / "corpus"
SEED_FILE = DATA / "seed" / "loop_amen_full.ogg"
