"""The licence of published weights is read where its publisher wrote it."""

import pytest

from files.errors import CheckpointError
from synth.licences import licence_of, shown_licence


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        ("license: mit", "mit"),
        ("tags:\n- audio\nlicense: 'cc-by-nc-4.0'\nlibrary_name: x", "cc-by-nc-4.0"),
        ("license:\n- cc-by-4.0", "cc-by-4.0"),
        ("license: other\nlicense_name: stable-audio-community", "stable-audio-community"),
        ("license: other", "other"),
        ("tags: []", "unknown"),
    ],
)
def test_head_of_the_readme_is_believed(tmp_path, head, licence):
    (tmp_path / "README.md").write_text(f"---\n{head}\n---\n# A codec\n\nlicense: gpl\n")
    assert licence_of(tmp_path) == licence


def test_text_of_the_readme_is_not(tmp_path):
    (tmp_path / "README.md").write_text("# A codec\n\nlicense: gpl\n")
    assert licence_of(tmp_path) == "unknown"


def test_first_line_of_a_licence_file(tmp_path):
    (tmp_path / "LICENSE").write_text("\n\n# MIT License\n\nCopyright …")
    assert licence_of(tmp_path, "facebook/encodec_32khz") == "MIT License"


def test_known_name_is_used_where_the_folder_is_silent(tmp_path):
    assert licence_of(tmp_path, "facebook/encodec_32khz") == "CC-BY-NC-4.0"
    (tmp_path / "dac_44khz").mkdir()
    assert licence_of(tmp_path / "dac_44khz", "someone/else") == "MIT"
    assert licence_of(tmp_path, "facebook/encodec_24khz") == "unknown"


def test_readme_that_is_not_text_tells_nothing(tmp_path):
    (tmp_path / "README.md").write_bytes(b"---\nlicense: \xff\xfe\n---\n")
    assert licence_of(tmp_path) == "unknown"


def test_readme_of_gigabytes_is_refused(tmp_path):
    with (tmp_path / "README.md").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(CheckpointError, match=r"README.md: 1073741824 bytes, the limit is"):
        licence_of(tmp_path)


@pytest.mark.parametrize(
    ("licence", "shown"),
    [
        ("cc-by-nc-4.0", "cc-by-nc-4.0, not for commercial use"),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0, not for commercial use"),
        ("CC BY-NC 4.0", "CC BY-NC 4.0, not for commercial use"),
        ("mit", "mit"),
        ("stabilityai-ncx", "stabilityai-ncx"),
        ("unknown", "unknown; look at the page that the weights come from"),
    ],
)
def test_a_licence_says_whether_it_allows_commercial_use(licence, shown):
    assert shown_licence(licence) == shown
