#!/usr/bin/env python3
"""What an export costs beside what ImageMagick and psd-tools take for the same layers, in one run: measure.py PROGRAM [LAYERS] [SIDE], where PROGRAM is the
crate's example `measure`, built with --release. Processor seconds, since other work on the machine does not lengthen them; bytes; peak memory."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIDE_OF = int(sys.argv[3]) if len(sys.argv) > 3 else 1024
LAYERS = int(sys.argv[2]) if len(sys.argv) > 2 else 8


def disc(side):
    """The layer of the example, pixel for pixel but for its grain."""
    y, x = np.mgrid[0:side, 0:side]
    grain = np.random.default_rng(1).integers(0, 8, (side, side), dtype=np.uint8)
    half = side / 2
    alpha = np.clip((0.8 - np.hypot(x - half, y - half) / half) * 20, 0, 1) * 255
    return np.dstack([(x // 5).astype(np.uint8) ^ grain, (y // 5).astype(np.uint8) + grain // 2, ((x + y) // 9).astype(np.uint8), alpha.astype(np.uint8)])


def spent(run):
    """Processor milliseconds of what `run` starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        file = folder / "layer.png"
        Image.fromarray(disc(SIDE_OF), "RGBA").save(file, compress_level=1)
        row = lambda what, ms, size: print(f"{what:28} {ms:8.0f} ms {size / 1e6:8.1f} MB")
        for count in (2, LAYERS, 10):
            done = subprocess.run([sys.argv[1], str(count), str(SIDE_OF), "psd"], capture_output=True, text=True, check=True)
            *formats, peak = [json.loads(line) for line in done.stdout.splitlines()]
            row(f"layer-formats psd, {count} layers", formats[0]["cpu_ms"], formats[0]["bytes"])
            print(f"{'':28} peak {peak['peak_kb'] / 1024:.0f} MB")
        done = subprocess.run([sys.argv[1], str(LAYERS), str(SIDE_OF)], capture_output=True, text=True, check=True)
        for line in map(json.loads, done.stdout.splitlines()[1:-1]):
            row(f"layer-formats {line['format']}", line["cpu_ms"], line["bytes"])
        # What it takes to read the layers is taken off.
        layers = [str(file)] * LAYERS
        read = spent(lambda: subprocess.run(["convert-im6.q16", *layers, "null:"], check=True))
        for kind in ("RLE", "Zip"):
            out = folder / f"im-{kind}.psd"
            both = spent(lambda: subprocess.run(["convert-im6.q16", *layers, "-compress", kind, out], check=True))
            row(f"ImageMagick psd, {kind}", both - read, out.stat().st_size)
        out = folder / "tools.psd"
        script = (
            "import sys, time, resource\nfrom PIL import Image\nfrom psd_tools import PSDImage\n"
            "file, count, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]\n"
            "layers = [Image.open(file).convert('RGBA') for _ in range(count)]\n"
            "begun = time.process_time()\n"
            "psd = PSDImage.new('RGB', layers[0].size)\n"
            "for layer in layers: psd.create_pixel_layer(layer)\n"
            "psd.save(out)\n"
            "print((time.process_time() - begun) * 1000)"
        )
        done = subprocess.run([sys.executable, "-c", script, file, str(LAYERS), out], capture_output=True, text=True, check=True)
        row("psd-tools psd (no merged)", float(done.stdout), out.stat().st_size)


main()
