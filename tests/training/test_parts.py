"""Averaged weights, half precision, threads and devices: the small parts that every training loop
shares.
"""

import copy
import signal

import pytest
import torch
from torch import nn

from files.errors import ParameterError
from training.distributed import Distributed
from training.ema import POWER, update_ema
from training.interrupt import Interrupt
from training.precision import autocast, check_precision
from training.sparkline import sparkline
from training.threads import torch_threads


def test_the_average_is_the_polynomial_one_and_buffers_are_the_last(tabla):
    model = nn.BatchNorm1d(1)
    average = copy.deepcopy(model)
    values = [float(value) for value in tabla[2000:2006]]
    for n_updates, value in enumerate(values, start=1):
        with torch.no_grad():
            model.weight.fill_(value)
            model.running_mean.fill_(value)
        update_ema(average, model, n_updates)
    n = len(values)
    shares = [
        (i / n) ** (POWER + 1) - ((i - 1) / n) ** (POWER + 1) for i in range(1, n + 1)
    ]  # of each update after n
    assert sum(shares) == pytest.approx(1)
    assert average.weight.item() == pytest.approx(
        sum(s * v for s, v in zip(shares, values, strict=True)), abs=1e-6
    )
    assert average.running_mean.item() == pytest.approx(values[-1])


def test_half_precision_is_for_computing_only():
    layer = nn.Linear(4, 4)
    x = torch.ones(1, 4)
    with autocast(torch.device("cpu"), "bfloat16"):
        assert layer(x).dtype == torch.bfloat16
    with autocast(torch.device("cpu"), "float32"):
        assert layer(x).dtype == torch.float32
    assert layer.weight.dtype == torch.float32
    with pytest.raises(ParameterError, match="precision='int3' must be float32 or bfloat16"):
        check_precision("int3")


def test_threads_are_as_before_after_the_block():
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_one_process_exchanges_nothing():
    with Distributed() as processes:
        assert (processes.rank, processes.world_size, processes.is_main) == (0, 1, True)
        values = [torch.ones(2), torch.arange(3.0)]
        assert all(a is b for a, b in zip(processes.sum(*values), values, strict=True))
        assert processes.main_first(lambda: 7) == 7
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize("name", ["cuda:99", "abacus"])
def test_a_device_that_is_not_here_is_named(name):
    with pytest.raises(
        ParameterError, match=f"device='{name}' cannot be used here .*; use --device cpu"
    ):
        Distributed().device(name)
    assert Distributed().device("cpu") == torch.device("cpu")


def test_second_ctrl_c_interrupts_at_once():
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
    assert (interrupt.asked, signal.signal(signal.SIGINT, ignored)) == (False, signal.SIG_IGN)


def test_loss_curve_shows_rise_and_fall():
    assert sparkline([8.0, 4.0, 1.0, 1.0, 2.0]) == "█▄▁▁▂"
    assert sparkline([]) == ""
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([float(n) for n in range(100, 0, -1)], width=8) == "█▇▆▅▄▃▂▁"
