"""Several processes that train one model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sequencer.windows import Windows
from training.checkpoint import load_training_state

SCRIPT = """
import json, os, sys
from pathlib import Path
import numpy as np
import torch
from db.descriptors.mfcc import add_deltas
from db.normaliser import fit_normaliser
from db.settings import DescriptorSettings
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.registry import ARCHITECTURES, ArchitectureEntry
from sequencer.loss import batch_loss
from sequencer.lstm import LSTM, LSTMSizes
from sequencer.train import ForecasterOptions, train_forecaster
from sequencer.windows import windows_for
from training.distributed import Distributed

ARCHITECTURES["lstm"] = ArchitectureEntry(LSTM, LSTMSizes(hidden_size=16, n_layers=1, dropout=0.1))
settings, rng = DescriptorSettings(n_mfcc=4), np.random.default_rng(0)
lengths = (90, 50, 140, 77)
rows = [rng.normal(0, 1, (n, 4)).astype(np.float32) for n in lengths]
songs = [(f"s{i}", add_deltas(r, width=9)) for i, r in enumerate(rows)]

with Distributed() as processes:
    torch.manual_seed(0)
    model = Forecaster(ForecasterConfig("lstm", settings, "mixture")).eval()
    static = [torch.from_numpy(rows[:, :4].copy()) for _, rows in songs]
    batches = list(windows_for(model, static, window=8, batch_size=4).epoch())[:2]
    losses = [batch_loss(model, batch) for batch in batches]
    together = sum(loss for loss, _ in losses) / sum(n for _, n in losses)
    expected = torch.autograd.grad(together, list(model.parameters()))
    loss, n_steps = batch_loss(model, batches[processes.rank])
    total, n_steps = processes.sum(loss.detach(), n_steps)
    torch.testing.assert_close(total / n_steps, together.detach())
    (loss / n_steps).backward()
    processes.sum_gradients(model)
    for parameter, gradient in zip(model.parameters(), expected):
        torch.testing.assert_close(parameter.grad, gradient)

    out = Path(sys.argv[1])
    options = ForecasterOptions(epochs=3, window=8, batch_size=4)
    common = dict(settings=settings, normaliser=fit_normaliser([s for _, s in songs], 12))
    summary = train_forecaster(songs, out, options=options, **common)
    out.with_name(f"rank{os.environ['RANK']}.json").write_text(json.dumps(summary.validation_loss))
"""


def test_shares_are_the_whole_epoch_in_equal_numbers():
    windows = Windows([torch.rand(n, 2) for n in (100, 31, 7)], window=9, batch_size=2)
    whole = list(windows.epoch(np.random.default_rng(5)))
    shares = [list(windows.epoch(np.random.default_rng(5), share=(rank, 3))) for rank in range(3)]
    assert {len(share) for share in shares} == {-(-len(whole) // 3)}
    dealt = [batch for batches in zip(*shares, strict=True) for batch in batches]
    for a, b in zip(whole, dealt, strict=False):
        torch.testing.assert_close(a.sequence, b.sequence)
    assert sum(float(batch.mask.sum()) for batch in dealt) == sum(
        float(batch.mask.sum()) for batch in whole
    )
    skipped = list(windows.epoch(np.random.default_rng(5), skip=2, share=(1, 3)))
    torch.testing.assert_close(skipped[0].sequence, shares[1][2].sequence)


@pytest.mark.slow
def test_two_processes_share_gradients_and_stay_equal(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[2]
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        script,
        tmp_path / "m",
    ]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[:3000]
    first, second = ((tmp_path / f"rank{rank}.json").read_text() for rank in range(2))
    assert first == second
    lines = [json.loads(line) for line in (tmp_path / "m" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert load_training_state(tmp_path / "m")["identity"]["world_size"] == 2
