"""What there is on the machine, by asking alone: no setting of a GPU is touched."""

import datetime
import json
import pathlib
import platform
import shutil
import subprocess
import threading
import time

FIELDS = ["name", "driver_version", "compute_cap", "memory.total", "clocks.max.sm",
          "clocks.max.mem", "power.limit"]
SAMPLED = ["clocks.sm", "clocks.mem", "power.draw", "temperature.gpu"]


def ask(fields):
    """The first GPU's values, or None where there is none."""
    if shutil.which("nvidia-smi") is None:
        return None
    done = subprocess.run(["nvidia-smi", f"--query-gpu={','.join(fields)}",
                           "--format=csv,noheader,nounits"], capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        return None
    cells = [cell.strip() for cell in done.stdout.splitlines()[0].split(",")]
    return dict(zip(fields, cells)) if len(cells) == len(fields) else None


def describe(nvcc):
    gpu = ask(FIELDS)
    processor = platform.machine()
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    version = subprocess.run([nvcc, "--version"], capture_output=True, text=True,
                             check=False).stdout.split() if nvcc else []
    packed = pathlib.Path(__file__).resolve().parents[2] / "build/gpu_battery/packed.json"
    return {"date": datetime.date.today().isoformat(), "gpu": gpu,
            "nvcc": version[-1] if version else None, "processor": processor,
            "commit": json.loads(packed.read_text())["commit"] if packed.exists() else None}


def capability_of(about):
    return int(about["gpu"]["compute_cap"].replace(".", ""))


class Clocks:
    """Samples clocks, power and temperature while the body of a with statement runs."""

    def __init__(self, seconds=0.5):
        self.seconds, self.samples, self.over = seconds, [], threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.sample, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(timeout=60)

    def sample(self):
        while not self.over.is_set():
            values = ask(SAMPLED)
            if values is None:
                return
            try:
                self.samples.append([time.monotonic(), *map(float, values.values())])
            except ValueError:  # [N/A]
                pass
            self.over.wait(self.seconds)

    def summary(self):
        """The least, median and largest of each."""
        found = {}
        for i, name in enumerate(SAMPLED):
            values = sorted(sample[i + 1] for sample in self.samples)
            if values:
                found[name] = [values[0], values[len(values) // 2], values[-1]]
        return found
