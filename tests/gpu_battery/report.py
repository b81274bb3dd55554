"""The files of results: JSON with everything, Markdown to be read. Nothing half-written stays."""

import json
import os
import pathlib
import re


def write(path, text):
    path = pathlib.Path(path)
    pending = path.with_name(f".{path.name}.{os.getpid()}")
    pending.write_text(text, encoding="utf-8")
    os.replace(pending, path)


def write_json(path, value):
    write(path, json.dumps(value, indent=1) + "\n")


def stem(about, device, part):
    """nvidia_h200_2026_12_31_bench"""
    name = about["gpu"]["name"] if about["gpu"] and device == "cuda" else "execution model"
    words = re.findall(r"[a-z0-9]+", f"{name} {about['date']} {part}".lower())
    return "_".join(words)


def heading(title, about, clocks=None):
    gpu = about["gpu"] or {}
    name = f"{gpu.get('name', 'none')}, compute capability {gpu.get('compute_cap', '-')}"
    lines = [f"# {title}", "", "| | |", "|---|---|",
             f"| date | {about['date']} |",
             f"| GPU | {name} |",
             f"| driver | {gpu.get('driver_version', '-')} |",
             f"| nvcc | {about['nvcc']} |",
             f"| processor | {about['processor']} |",
             f"| commit | {about['commit']} |"]
    for name, (least, median, most) in (clocks or {}).items():
        lines.append(f"| {name} while it ran | {least:g} to {most:g}, median {median:g} |")
    return "\n".join(lines) + "\n\n"


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines) + "\n\n"


def time_of(seconds):
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e9:.3g} ns"
