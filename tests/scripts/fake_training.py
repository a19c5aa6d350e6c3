"""Stands for `demiurge` in the tests of scripts/train: notes what it is asked, and "trains"."""

import json
import os
import signal
import sys
import time
from pathlib import Path

synth, command, audio, folder, *options = sys.argv[1:]
model = Path(folder)
model.mkdir(parents=True, exist_ok=True)
stopped = []
signal.signal(signal.SIGINT, lambda *_: stopped.append(1))
with (model / "calls.jsonl").open("a") as file:
    facts = {"command": command, "audio": audio, "options": options, "nice": os.nice(0)}
    facts["threads"] = os.environ["OMP_NUM_THREADS"]
    file.write(json.dumps(facts) + "\n")
if (model / "broken").exists():
    raise SystemExit(2)
began = time.process_time()
while time.process_time() - began < 0.05:  # processor time, for the shares
    pass
if (model / "endless").exists():
    (model / "ready").write_text(str(os.getpid()))
    while not stopped:
        time.sleep(0.01)
(model / "training.pt").write_bytes(b"state")
with (model / "log.jsonl").open("a") as file:
    file.write(json.dumps({"step": 7, "validation/distance": 0.5}) + "\n")
    file.write(json.dumps({"step": 8, "train/loss": 0.1}) + "\n")
raise SystemExit(len(stopped))
