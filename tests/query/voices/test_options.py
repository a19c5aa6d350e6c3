import pytest

from files.errors import ParameterError
from query.voices.options import ONE_VOICE, VoiceOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"number": 0}, "voices=0 must be 1 to 16"),
        ({"number": 100}, "voices=100 must be 1 to 16"),
        ({"number": True}, "voices=True must be 1 to 16"),
        ({"number": 2.0}, "voices=2.0 must be 1 to 16"),
        ({"transpose": -1}, "transpose=-1 must be 0 to 12 semitones, or auto"),
        ({"transpose": 13}, "transpose=13 must be 0 to 12"),
        ({"transpose": "far"}, "transpose='far' must be 0 to 12"),
        ({"follow": "tune"}, "follow='tune' must be one of both, pitch, timbre"),
    ],
)
def test_options_out_of_range_raise(options, message):
    with pytest.raises(ParameterError, match=message):
        VoiceOptions(**options)


@pytest.mark.parametrize("facts", [[], 3, {"voices": 3}])
def test_what_is_no_object_of_options_raises(facts):
    with pytest.raises(ParameterError, match="must be an object with some of number, transpose"):
        VoiceOptions.from_dict(facts)


def test_options_survive_a_plan():
    options = VoiceOptions(3, "auto", "pitch")
    assert VoiceOptions.from_dict(options.to_dict()) == options
    assert VoiceOptions.from_dict({}) == ONE_VOICE


def test_one_voice_that_neither_moves_nor_follows_anything_is_chosen_by_its_descriptors():
    assert not ONE_VOICE.fit_spectra
    for options in (VoiceOptions(2), VoiceOptions(1, 2), VoiceOptions(1, 0, "timbre")):
        assert options.fit_spectra
