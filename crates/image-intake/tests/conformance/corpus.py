"""Writes the conformance set: pictures, and what an independent reader sees in each.

    corpus.py FOLDER

The reader is Pillow, which brings libjpeg-turbo, libpng's rules in its own code over zlib, libwebp and a GIF reader of
its own. `FOLDER/manifest.tsv` has a line for each file: its name, `pixels` or `code`, then width and height or the code of
the refusal. Pixels stand in a file of the same name with `.rgba` behind it. Nothing here uses lamina.
"""

import io
import pathlib
import sys

from PIL import Image

import gif_cases
import jpeg_cases
import odd_cases
import png_cases
import webp_cases

FOLDER = pathlib.Path(sys.argv[1])
LINES = []


def rgba(file):
    """What Pillow sees of a file: RGBA, 8 bits."""
    image = Image.open(io.BytesIO(file))
    image.load()
    return image.convert("RGBA")


def inks(file):
    """CMYK without a profile as the plain product of what each ink leaves of the light."""
    image = Image.open(io.BytesIO(file))
    image.load()
    assert image.mode == "CMYK"
    out = bytearray()
    data = image.tobytes()
    for at in range(0, len(data), 4):
        light = 255 - data[at + 3]
        out += bytes([((255 - ink) * light + 127) // 255 for ink in data[at:at + 3]] + [255])
    return Image.frombytes("RGBA", image.size, bytes(out))


def put(name, file, expected, tolerance=0):
    """`expected`: a code, an RGBA image, or another file that Pillow reads in its place; `tolerance` is the largest
    difference of a sample that the formulas leave to rounding."""
    (FOLDER / name).write_bytes(file)
    if isinstance(expected, str):
        LINES.append(f"{name}\tcode\t{expected}")
        return
    if isinstance(expected, (bytes, bytearray)):
        plain = Image.open(io.BytesIO(expected))
        expected = inks(expected) if plain.mode == "CMYK" else rgba(expected)
    (FOLDER / f"{name}.rgba").write_bytes(expected.convert("RGBA").tobytes())
    LINES.append(f"{name}\tpixels\t{expected.width}\t{expected.height}\t{tolerance}")


FOLDER.mkdir(parents=True, exist_ok=True)
for cases in (jpeg_cases, png_cases, webp_cases, gif_cases, odd_cases):
    cases.write(put)
(FOLDER / "manifest.tsv").write_text("\n".join(LINES) + "\n")
print(f"{len(LINES)} files")
