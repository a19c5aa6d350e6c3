"""Names that are not UTF-8: one sentence each, and nothing half-made."""

import shutil

import pytest

from audio.read import probe
from db.build import build_database
from files.errors import AudioError, ParameterError
from files.names import check_name, is_utf8, listed, printable

pytestmark = pytest.mark.accounts

RULE = "its name is not valid UTF-8; rename it"


def test_names_are_shown_on_one_line():
    assert (
        printable("kick\nfailed: \x1b[31mall.wav\u2028") == r"kick\nfailed: \x1b[31mall.wav\u2028"
    )
    assert printable("\udce9.wav") == r"\udce9.wav"
    assert printable("größe\u3000音 🎵.wav") == "größe\u3000音 🎵.wav"


def test_a_name_is_text_unless_it_holds_other_bytes():
    assert is_utf8("größe\n音 🎵.wav")
    assert not is_utf8("caf\udce9.wav")
    check_name("line\nbreak.wav")
    with pytest.raises(ParameterError, match=rf"a\\nb\\udce9: {RULE}"):
        check_name("a\nb\udce9", ParameterError)


@pytest.mark.parametrize("name", ["caf\udce9.wav", "d\udce9/x.wav"])
def test_a_known_recording_of_a_new_name_that_is_no_text_fails_and_the_rest_is_kept(
    corpus, tmp_path, name
):
    build_database(corpus, tmp_path / "db")
    (corpus / name).parent.mkdir(exist_ok=True)
    (corpus / "a" / "x.wav").rename(corpus / name)
    for prune in (False, True):
        report = build_database(corpus, tmp_path / "db", prune=prune)
        assert (report.renamed, report.vanished) == ([], ["a/x.wav"])
        assert report.failed == [(name.replace("\udce9", "\\udce9"), RULE)]
        assert len(report.unchanged) == 3


def test_a_corpus_folder_that_is_no_text_is_refused_before_anything_is_made(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "d\udce9")
    with pytest.raises(ParameterError, match=rf"d\\udce9: {RULE}"):
        build_database(tmp_path / "d\udce9", tmp_path / "db")
    assert not (tmp_path / "db").exists()


def test_a_recording_of_such_a_name_is_not_read(corpus):
    (corpus / "short.flac").rename(corpus / "\udce9.flac")
    with pytest.raises(AudioError, match=rf"\\udce9.flac: {RULE}"):
        probe(corpus / "\udce9.flac")


def test_names_numbered_in_a_row_are_shortened():
    names = ["a", "b1", "b2", "c0_std", "c1_std", "c2_std", "d7", "d8", "d10", "e"]
    assert listed(names) == "a, b1, b2, c0_std … c2_std, d7, d8, d10, e"
    assert listed([]) == ""
