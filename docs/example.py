"""Draws docs/example.png: each picture beside its layers, bottom first, over a checkerboard.

    lamina split testdata/images/coffee.png -o /tmp/layers/coffee     # and so on
    python3 docs/example.py /tmp/layers/*      # needs Pillow
"""

import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
HEIGHT, GAP, LABEL, SQUARE = 160, 12, 22, 10


def checkerboard(size):
    board = Image.new("RGBA", size, (255, 255, 255, 255))
    draw = ImageDraw.Draw(board)
    for y in range(0, size[1], SQUARE):
        for x in range(0, size[0], SQUARE):
            if (x + y) // SQUARE % 2:
                draw.rectangle((x, y, x + SQUARE - 1, y + SQUARE - 1), (214, 214, 214, 255))
    return board


def tile(path):
    image = Image.open(path).convert("RGBA")
    size = (round(image.width * HEIGHT / image.height), HEIGHT)
    board = checkerboard(size)
    board.alpha_composite(image.resize(size, Image.Resampling.LANCZOS))
    return board


def row(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    tiles = [(manifest["source"], tile(HERE.parent / "testdata/images" / manifest["source"]))]
    for layer in manifest["layers"]:
        label = f"{layer['order']}: {layer['name']}" if layer["name"] else str(layer["order"])
        tiles.append((label, tile(folder / layer["file"])))
    return tiles


rows = [row(Path(folder)) for folder in sys.argv[1:]]
width = max(sum(image.width + GAP for _, image in tiles) + GAP for tiles in rows)
sheet = Image.new("RGB", (width, len(rows) * (HEIGHT + LABEL + GAP) + GAP), (255, 255, 255))
draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
y = GAP
for tiles in rows:
    x = GAP
    for label, image in tiles:
        draw.text((x, y), label, (90, 90, 90), font)
        sheet.paste(image.convert("RGB"), (x, y + LABEL))
        x += image.width + GAP
    y += HEIGHT + LABEL + GAP
sheet.save(HERE / "example.png", optimize=True)
