"""The sounds that come with Demiurge: a CC0 corpus and a seed that is not part of it
(demiurge/data/LICENSES.md).
"""

from pathlib import Path

DATA = Path(__file__).parent / "data"
CORPUS_DIR = DATA / "corpus"
SEED_FILE = DATA / "seed" / "loop_amen_full.ogg"
