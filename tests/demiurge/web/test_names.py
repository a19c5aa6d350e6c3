import pytest

from demiurge.web.names import STEM_LETTERS, file_stem
from files.errors import ParameterError


def test_a_given_name_becomes_one_that_any_system_can_keep():
    assert file_stem("take two (slow)") == "take two (slow)"
    assert file_stem("../../etc/passwd") == "etc-passwd"
    assert file_stem("what?\nno: <this>") == "what-no- -this"
    assert file_stem("größe 音") == "größe 音"
    assert file_stem("x" * 500) == "x" * STEM_LETTERS


@pytest.mark.parametrize("name", ["", " . ", "???", "../.."])
def test_a_name_of_which_nothing_is_left_is_refused(name):
    with pytest.raises(ParameterError, match="cannot be a file name; use letters and digits"):
        file_stem(name)
