import pytest

from tests.sequencer.toys import train


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A model trained on the songs: its folder and the summary."""
    folder = tmp_path_factory.mktemp("model") / "m"
    return folder, train(folder, epochs=25, learning_rate=5e-3)
