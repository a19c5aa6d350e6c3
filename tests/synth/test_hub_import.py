"""The door to transformers and diffusers: what is missing or broken is said in one line."""

import sys

import pytest

from files.errors import ParameterError
from synth import hub_import


def _broken(name: str, reason: str, folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a package of that name, which fails when it is imported, before all others."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(f"raise {reason}\n")
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize("package", ["transformers", "diffusers"])
def test_package_that_is_missing_names_the_command(monkeypatch, package):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ParameterError,
        match=rf'^the package {package} is not installed; \S+ -m pip install .*"{package}>=[^\n]*$',
    ):
        getattr(hub_import, package)()


def test_package_that_finds_no_other_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    reason = 'ModuleNotFoundError("no hub", name="huggingface_hub")'
    _broken("transformers", reason, tmp_path, monkeypatch)
    with pytest.raises(ParameterError, match="as it finds no huggingface_hub; .*pip install"):
        hub_import.transformers()


@pytest.mark.parametrize("reason", ['OSError("libc10_cuda.so: not found\\nat all")', "OSError"])
def test_broken_torchaudio_is_one_line(tmp_path, monkeypatch, reason):
    _broken("torchaudio", reason, tmp_path, monkeypatch)
    with pytest.raises(
        ParameterError,
        match=r"^torchaudio is installed but broken \((libc10_cuda.so: not found|OSError)\)[^\n]*"
        r" -m pip uninstall torchaudio$",
    ):
        hub_import.transformers()


def test_torchaudio_that_needs_another_package_is_broken_too(tmp_path, monkeypatch):
    reason = 'ModuleNotFoundError("No module named _torchaudio", name="_torchaudio")'
    _broken("torchaudio", reason, tmp_path, monkeypatch)
    with pytest.raises(ParameterError, match=r"broken \(No module named _torchaudio\)"):
        hub_import.diffusers()
