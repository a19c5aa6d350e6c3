"""What a model made is written whole, and lowered only where it is beyond full scale."""

import numpy as np
import pytest
import soundfile as sf

from demiurge.write_sound import write_sound
from files.errors import PlanError


def ramp(peak):
    return np.linspace(-peak, peak, 64, dtype=np.float32).reshape(32, 2)


@pytest.mark.parametrize(("peak", "gain"), [(0.5, 1.0), (1.0, 1.0), (4.0, 0.25)])
def test_only_what_is_beyond_full_scale_is_lowered(peak, gain, tmp_path):
    assert write_sound(tmp_path / "a.wav", ramp(peak), 8000) == gain
    written, rate = sf.read(tmp_path / "a.wav")
    assert rate == 8000
    np.testing.assert_allclose(written, ramp(peak) * gain, atol=2**-22)


def test_samples_that_are_no_numbers_leave_no_file(tmp_path):
    with pytest.raises(PlanError, match="finite"):
        write_sound(tmp_path / "a.wav", ramp(1) * np.nan, 8000)
    assert not list(tmp_path.iterdir())
