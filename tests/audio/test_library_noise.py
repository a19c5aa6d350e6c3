import os
import subprocess
import sys
import threading

import pytest

from audio.library_noise import Noise

LINES = (
    b"[src/libmpg123/layer3.c:INT123_do_layer3():1823] error: dequantization failed!\n",
    b"Note: Illegal Audio-MPEG-Header 0x00000000 at offset 2046.\n",
    b"\nWarning: Big change (MPEG version, layer, rate). Frankenstein stream?\n",
)


@pytest.mark.parametrize("line", LINES)
def test_noise_is_caught(capfd, line):
    noise = Noise()
    with noise.caught():
        os.write(2, line)
    assert capfd.readouterr().err.strip() == ""
    assert noise.is_heard


def test_noise_on_standard_output_is_caught(capfd):
    noise = Noise()
    with noise.caught():
        os.write(1, b"ours\nalac_pakt_read_decode 855 : Ooops! count 3    bcount 90\n")
    assert capfd.readouterr() == ("ours\n", "")
    assert noise.is_heard


def test_what_others_write_goes_on(capfd):
    noise = Noise()
    with noise.caught():
        os.write(2, b"our own bar\r" + LINES[0] + b"a word\n")
    assert "our own bar" in (err := capfd.readouterr().err)
    assert "a word" in err
    with noise.caught():
        print("printed", file=sys.stderr, flush=True)
    assert "printed" in capfd.readouterr().err


def test_noise_about_tags_is_no_damage(capfd):
    noise = Noise()
    with noise.caught():
        os.write(2, b"Warning: Xing stream size off by more than 1%, fuzzy seeking!\n")
        os.write(2, b"[src/libmpg123/id3.c:process_comment():587] error: No comment text?\n")
    assert not noise.is_heard
    assert capfd.readouterr().err == ""


def test_threads_wait_for_each_other():
    loud, still = Noise(), Noise()
    inside = threading.Event()

    def be_loud():
        with loud.caught():
            inside.set()
            os.write(2, LINES[0])

    thread = threading.Thread(target=be_loud)
    with still.caught():
        thread.start()
        assert not inside.wait(0.1)
    thread.join()
    assert (loud.is_heard, still.is_heard) == (True, False)


def test_closed_standard_error_is_no_fault():
    code = (
        "import os; os.close(2)\n"
        "from audio.library_noise import Noise\n"
        "with Noise().caught(): print('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"done\n"


def test_standard_error_is_restored_after_an_error(capfd):
    with pytest.raises(ValueError, match="inside"), Noise().caught():
        raise ValueError("inside")
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"
