"""Stacks that are exported, made here without any code of the crate: an unpacked bundle each, and how it looks by exact arithmetic."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

RTL = "\u202egnp.exe\u202c"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
# As it is given, and as a person is to read it.
NAMES = {
    "../../etc/passwd": "../../etc/passwd",
    "a\x00b\x07c\nd": "a b c d",
    "x" * 300: "x" * 120,
    RTL: "gnp.exe",
    f"Familie {FAMILY} 家族": f"Familie {FAMILY} 家族",
    '<b>&"quotes"\'': '<b>&"quotes"\'',
    "": None,
    "CON": "CON",
}


def blob(width, height, colour, softness=0.35):
    """A disc with a soft edge."""
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot((x - width / 2 + 0.5) / (width / 2), (y - height / 2 + 0.5) / (height / 2))
    alpha = np.clip((1 - radius) / softness, 0, 1)
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = np.round(alpha * 255)
    return pixels


def gradient(width, height, alpha=255):
    pixels = np.zeros((height, width, 4), np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    pixels[..., 0] = x * 255 // max(width - 1, 1)
    pixels[..., 1] = y * 255 // max(height - 1, 1)
    pixels[..., 2] = (x * 7 + y * 3) % 256
    pixels[..., 3] = alpha
    return pixels


def noise(width, height, seed):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)


def layer(name, x, y, pixels, **more):
    return {"type": "layer", "name": name, "x": x, "y": y, "pixels": pixels} | more


def group(name, nodes, **more):
    return {"type": "group", "name": name, "nodes": nodes} | more


def designs():
    """Name, width, height, nodes."""
    sheet = layer("Background", 0, 0, gradient(320, 200), kind="background")
    yield "design", 320, 200, [
        sheet,
        layer("Shadow", 40, 60, blob(120, 80, (0, 0, 0)), opacity=0.6),
        layer("Subject", 60, 30, blob(100, 120, (220, 60, 30))),
        group("Titles", [
            layer("Grand Opening 🎉", 150, 20, blob(140, 40, (250, 250, 250)), kind="text", text="Grand\nOpening"),
            layer("Half", 200, 40, blob(100, 100, (20, 80, 240)), opacity=0.5),
        ], opacity=0.7),
        group("Together", [layer("Inner", 10, 150, blob(60, 40, (90, 200, 90)))]),
        layer("Hidden", 0, 0, gradient(80, 80), visible=False),
        layer("Nothing", 0, 0, None),
        layer("Outside", 290, -30, blob(70, 90, (240, 220, 40))),
        layer("Left of it", -50, 150, blob(90, 90, (240, 20, 240))),
    ]
    # What shows through everywhere, with colours under a hardly visible alpha.
    yield "clear", 160, 120, [
        layer("Noise", 10, 10, noise(100, 80, 1)),
        layer("Soft", 40, 30, blob(110, 80, (10, 200, 100), 1.0)),
        layer("Line", 0, 60, gradient(160, 1, 128)),
        layer("Column", 80, 0, gradient(1, 120, 200)),
    ]
    yield "modes", 160, 120, [layer("Below", 0, 0, gradient(160, 120))] + [
        layer(mode, 5 + 14 * place, 10, gradient(12, 100), blend_mode=mode)
        for place, mode in enumerate([
            "multiply", "screen", "overlay", "darken", "lighten", "color-dodge", "color-burn", "hard-light",
            "soft-light", "difference",
        ])
    ]
    yield "names", 100, 60, [
        layer(name, place * 10, 5, blob(20, 40, (place * 30, 200 - place * 20, 90)))
        for place, name in enumerate(NAMES)
    ]
    yield "empty", 40, 30, [layer("Nothing", 0, 0, None)]
    yield "bare", 40, 30, []
    yield "dot", 1, 1, [layer("Dot", 0, 0, gradient(1, 1, 77))]
    yield "far", 50, 50, [layer("Far away", 200, 200, gradient(10, 10)), layer("Near", -5, -5, gradient(60, 60, 90))]


# Only Photoshop's large form takes it.
def wide():
    yield "wide", 30_001, 3, [
        layer("Strip", 0, 0, gradient(30_001, 3)),
        layer("End", 29_990, 1, gradient(20, 1, 140)),
    ]


def write(folder, name, width, height, nodes):
    """An unpacked bundle."""
    folder = Path(folder) / name
    folder.mkdir(parents=True, exist_ok=True)
    count = 0

    def described(nodes):
        nonlocal count
        for node in nodes:
            entry = {key: value for key, value in node.items() if key not in ("pixels", "nodes")}
            if node["type"] == "group":
                entry["nodes"] = list(described(node["nodes"]))
            else:
                pixels = node["pixels"]
                entry["id"] = f"layer_{count}"
                entry["file"] = None
                entry["width"] = entry["height"] = 0
                if pixels is not None:
                    entry["file"] = f"{count}.png"
                    entry["height"], entry["width"] = pixels.shape[:2]
                    Image.fromarray(pixels, "RGBA").save(folder / entry["file"])
                count += 1
            yield entry

    manifest = {"title": NASTY_TITLE, "width": width, "height": height, "pixels_per_inch": 144.0}
    manifest["nodes"] = list(described(nodes))
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return folder


NASTY_TITLE = "../A <title>\x01 \u202e" + "y" * 300


def leaves(nodes):
    for node in nodes:
        if node["type"] == "group":
            yield from leaves(node["nodes"])
        else:
            yield node


def mixed(mode, below, above):
    """The W3C's Compositing and Blending, section 10, once more."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if mode == "normal":
            return above
        if mode == "multiply":
            return below * above
        if mode == "screen":
            return below + above - below * above
        if mode == "overlay":
            return mixed("hard-light", above, below)
        if mode == "darken":
            return np.minimum(below, above)
        if mode == "lighten":
            return np.maximum(below, above)
        if mode == "color-dodge":
            return np.where(below == 0, 0, np.where(above >= 1, 1, np.minimum(1, below / (1 - above))))
        if mode == "color-burn":
            return np.where(below >= 1, 1, np.where(above <= 0, 0, 1 - np.minimum(1, (1 - below) / above)))
        if mode == "hard-light":
            return np.where(above <= 0.5, 2 * below * above, mixed("screen", below, 2 * above - 1))
        if mode == "soft-light":
            curve = np.where(below <= 0.25, ((16 * below - 12) * below + 4) * below, np.sqrt(below))
            return np.where(above <= 0.5, below - (1 - 2 * above) * below * (1 - below), below + (2 * above - 1) * (curve - below))
        if mode == "difference":
            return np.abs(below - above)
    raise ValueError(mode)


def drawn(nodes, width, height, canvas=None):
    """RGBA from 0 to 1, straight."""
    if canvas is None:
        canvas = np.zeros((height, width, 4))
    for node in nodes:
        opacity = int(node.get("opacity", 1) * 255 + 0.5) / 255
        if not node.get("visible", True):
            continue
        mode = node.get("blend_mode", "normal")
        if node["type"] == "group":
            if opacity == 1:
                canvas = drawn(node["nodes"], width, height, canvas)
                continue
            above = drawn(node["nodes"], width, height)
        else:
            if node["pixels"] is None:
                continue
            above = np.zeros((height, width, 4))
            pixels = node["pixels"] / 255
            left, top = max(node["x"], 0), max(node["y"], 0)
            right = min(node["x"] + pixels.shape[1], width)
            bottom = min(node["y"] + pixels.shape[0], height)
            if left >= right or top >= bottom:
                continue
            above[top:bottom, left:right] = pixels[top - node["y"]:bottom - node["y"], left - node["x"]:right - node["x"]]
        alpha, under = above[..., 3:] * opacity, canvas[..., 3:]
        both = mixed(mode, canvas[..., :3], above[..., :3])
        whole = alpha + under * (1 - alpha)
        colour = alpha * (1 - under) * above[..., :3] + alpha * under * both + (1 - alpha) * under * canvas[..., :3]
        canvas = np.concatenate([np.where(whole > 0, colour / np.where(whole > 0, whole, 1), 0), whole], 2)
    return canvas
