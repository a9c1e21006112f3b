#!/usr/bin/env python3
"""Exports stacks with the crate's example, and has programs read them that nobody here wrote. EXPORT names the example's program.

What a program shows is held against designs.py, which draws the same stacks by exact arithmetic. A program that is missing leaves its tests
out, loudly; with LAMINA_REQUIRE_ALL=1 that fails.
"""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

import designs

HERE = Path(__file__).resolve().parent
KEPT = os.environ.get("READERS_KEEP")
FOLDER = Path(KEPT or tempfile.mkdtemp(prefix="readers-"))
STACKS = {}


def program(*names):
    """The first of these programs, or the test is left out."""
    for name in names:
        if path := shutil.which(name):
            return path
    message = f"{' or '.join(names)} is not installed"
    if os.environ.get("LAMINA_REQUIRE_ALL") == "1":
        raise AssertionError(message)
    print(f"LEFT OUT: {message}", file=sys.stderr)
    raise unittest.SkipTest(message)


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=240, **more)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    return done.stdout


def setUpModule():
    for name, width, height, nodes in [*designs.designs(), *designs.wide()]:
        bundle = designs.write(FOLDER / "bundles", name, width, height, nodes)
        out = FOLDER / name
        words = ["psd"] if name == "wide" else ["psd", "psd-zip", "ora", "pptx", "svg", "zip", "tiff", "gif", "png"]
        run(os.environ["EXPORT"], bundle / "manifest.json", out, *words)
        STACKS[name] = (width, height, nodes, designs.drawn(nodes, width, height))


def tearDownModule():
    if not KEPT:
        shutil.rmtree(FOLDER)


def rgba(picture):
    """Straight RGBA from 0 to 1 of a file, a Pillow image or an array."""
    if isinstance(picture, np.ndarray):
        return picture / 255 if picture.dtype == np.uint8 else picture
    if isinstance(picture, (str, Path)):
        picture = Image.open(picture)
    return np.asarray(picture.convert("RGBA")) / 255


def on(ground, picture):
    picture = rgba(picture)
    return picture[..., :3] * picture[..., 3:] + ground * (1 - picture[..., 3:])


class Case(unittest.TestCase):
    def same(self, found, expected, what, most=2.0):
        """Both look the same on black and on white, to `most` of 255 steps."""
        found, expected = rgba(found), rgba(expected)
        self.assertEqual(found.shape, expected.shape, what)
        for ground in (0, 1):
            apart = np.abs(on(ground, found) - on(ground, expected)) * 255
            self.assertLessEqual(apart.max(), most, f"{what}: {apart.max():.1f} on {ground} at {np.argwhere(apart == apart.max())[0]}")


def psds(*, wide=False):
    for name, stack in STACKS.items():
        if name != "wide":
            yield name, FOLDER / name / "picture.psd", stack
            yield name, FOLDER / name / "zipped.psd", stack
        elif wide:
            yield name, FOLDER / name / "picture.psb", stack


def shown_name(node, place):
    """What a person is to read."""
    name = designs.NAMES.get(node["name"], node["name"])
    return name or f"Layer {place + 1}"


class PsdTools(Case):
    def test_layers_and_pictures(self):
        from psd_tools import PSDImage
        from psd_tools.constants import Resource

        for name, path, (width, height, nodes, drawn) in psds(wide=True):
            with self.subTest(path=path):
                psd = PSDImage.open(path)
                self.assertEqual((psd.width, psd.height), (width, height))
                places = iter(range(1000))
                self.compare(list(psd), nodes, places)
                if width > 30_000:
                    continue  # It makes no picture of that, though it reads the file.
                merged = psd.topil()
                if merged.mode == "RGB":
                    self.assertTrue((drawn[..., 3] > 0.998).all(), "three channels though something shows through")
                # The white in its edges is taken out again by 8 bits.
                self.same(merged, drawn, f"{path} merged", 3)
                if name == "modes":
                    continue  # Its own arithmetic of modes is looked at by layer below.
                self.same(psd.composite(force=True), drawn, f"{path} composite", 3)
                thumbnail = psd.thumbnail()
                self.assertLessEqual(max(thumbnail.size), 160)
                self.assertEqual(psd.image_resources.get_data(Resource.RESOLUTION_INFO).horizontal, 144 << 16)
                self.assertIn(b"acsp", psd.image_resources.get_data(Resource.ICC_PROFILE))

    def compare(self, layers, nodes, places):
        self.assertEqual(len(layers), len(nodes))
        for layer, node in zip(layers, nodes):
            self.assertEqual(layer.is_group(), node["type"] == "group")
            self.assertEqual(layer.opacity, int(node.get("opacity", 1) * 255 + 0.5))
            self.assertEqual(layer.visible, node.get("visible", True))
            if layer.is_group():
                self.assertEqual(layer.name, node["name"])
                self.assertEqual(layer.blend_mode.name, "NORMAL" if node.get("opacity", 1) < 1 else "PASS_THROUGH")
                self.compare(list(layer), node["nodes"], places)
                continue
            self.assertEqual(layer.name, shown_name(node, next(places)))
            mode = node.get("blend_mode", "normal").upper().replace("-", "_")
            self.assertEqual(layer.blend_mode.name, mode)
            if node["pixels"] is None:
                self.assertEqual((layer.width, layer.height), (0, 0))
                continue
            size = node["pixels"].shape
            self.assertEqual(layer.bbox, (node["x"], node["y"], node["x"] + size[1], node["y"] + size[0]))
            # It takes layers as wide as a PSD's, also of a PSB.
            if size[1] <= 30_000:
                self.same(layer.topil(), node["pixels"], node["name"], 0)


class AgPsd(Case):
    MODES = {"normal": "normal", "color-dodge": "color dodge", "color-burn": "color burn", "hard-light": "hard light", "soft-light": "soft light"}

    def test_layers_and_pictures(self):
        node = program("node")
        if not (HERE / "node_modules").is_dir():
            program("node_modules of ag-psd: run the install beside this script; it")
        paths = list(psds(wide=True))
        lines = run(node, HERE / "agpsd.mjs", *[path for _, path, _ in paths]).splitlines()
        self.assertEqual(len(lines), len(paths))
        for line, (name, path, (width, height, nodes, drawn)) in zip(lines, paths):
            with self.subTest(path=path):
                psd = json.loads(line)
                self.assertEqual((psd["width"], psd["height"], psd["resolution"]), (width, height, 144))
                self.assertLessEqual(psd["thumbnail"], 160)
                merged = np.frombuffer(base64.b64decode(psd["merged"]), np.uint8).reshape(height, width, 4)
                self.same(merged, drawn, f"{path} merged", 3)
                self.compare(psd["children"], nodes, iter(range(1000)))

    def compare(self, layers, nodes, places):
        self.assertEqual(len(layers), len(nodes))
        for layer, node in zip(layers, nodes):
            self.assertAlmostEqual(layer["opacity"], node.get("opacity", 1), delta=0.5 / 255 + 1e-6)
            self.assertEqual(layer["hidden"], not node.get("visible", True))
            if node["type"] == "group":
                self.assertEqual(layer["name"], node["name"])
                self.compare(layer["children"], node["nodes"], places)
                continue
            self.assertEqual(layer["name"], shown_name(node, next(places)))
            mode = node.get("blend_mode", "normal")
            self.assertEqual(layer["blendMode"], self.MODES.get(mode, mode))
            if node["pixels"] is None:
                self.assertIsNone(layer.get("pixels"))
                continue
            size = node["pixels"].shape
            self.assertEqual((layer["left"], layer["top"], layer["right"], layer["bottom"]), (node["x"], node["y"], node["x"] + size[1], node["y"] + size[0]))
            pixels = np.frombuffer(base64.b64decode(layer["pixels"]), np.uint8).reshape(size)
            self.same(pixels, node["pixels"], node["name"], 0)


class ImageMagick(Case):
    def test_merged_picture_and_layers(self):
        # Its own names: a stand-in may be called convert.
        identify, convert = program("identify-im6.q16", "magick"), program("convert-im6.q16", "magick")
        # Debian's policy lets it read no side of 30,001 pixels.
        for name, path, (width, height, nodes, drawn) in psds():
            with self.subTest(path=path):
                lines = run(identify, "-quiet", "-format", "%w %h %[label]|%g\n", path).decode().splitlines()
                wanted = [node for node in designs.leaves(nodes) if node["pixels"] is not None]
                # It leaves out what has no pixel, and counts groups of none.
                self.assertGreaterEqual(len(lines), 1 + len(wanted))
                out = FOLDER / name / f"{path.stem}.im.png"
                run(convert, "-quiet", f"{path}[0]", "-strip", f"PNG32:{out}")
                # Without layers it knows of no alpha.
                if nodes:
                    self.same(out, drawn, f"{path} merged", 3)


def drawn_by_gimp(gimp, files):
    """Has GIMP open each first file as layers and write what it shows of them to the second."""
    # Its own default mode mixes light and not the numbers of colours, as no other program here does; files that say nothing of modes get it.
    legacy = "(for-each (lambda (layer) (if (= (car (gimp-layer-get-mode layer)) LAYER-MODE-NORMAL) (gimp-layer-set-mode layer LAYER-MODE-NORMAL-LEGACY)))" \
        " (vector->list (cadr (gimp-image-get-layers image))))"
    script = [
        f'(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE "{path}" "{path}"))) (plain {legacy})'
        f' (layer (car (gimp-image-merge-visible-layers image CLIP-TO-IMAGE))))'
        f' (gimp-layer-resize-to-image-size layer)'
        f' (file-png-save RUN-NONINTERACTIVE image layer "{out}" "{out}" 0 9 0 0 0 0 0))'
        for path, out in files
    ]
    home = FOLDER / "home"
    home.mkdir(exist_ok=True)
    batch = [part for line in [*script, "(gimp-quit 0)"] for part in ("-b", line)]
    run(gimp, "-i", "-d", "-f", "--batch-interpreter", "plug-in-script-fu-eval", *batch, env=os.environ | {"HOME": str(home)})


class Gimp(Case):
    def test_it_draws_psd_the_same(self):
        gimp = program("gimp")
        # GIMP 2.10 reads neither zlib in a PSD nor a PSB.
        paths = [(name, path, stack) for name, path, stack in psds() if path.stem != "zipped"]
        # Merging fails where nothing is visible.
        drawn_by_gimp(gimp, [(path, FOLDER / name / "gimp.png") for name, path, _ in paths if name not in ("empty", "bare")])
        for name, path, (width, height, nodes, drawn) in paths:
            if name in ("empty", "bare"):
                continue
            with self.subTest(name=name):
                found = rgba(FOLDER / name / "gimp.png")
                if found.shape[:2] != (height, width):
                    self.fail(f"GIMP's picture is {found.shape}")
                # GIMP's soft light is another formula.
                most = 60 if name == "modes" else 3
                self.same(found, drawn, name, most)


class Krita(Case):
    def test_it_draws_psd_and_openraster_the_same(self):
        krita, display = program("krita"), program("xvfb-run")
        home = FOLDER / "krita"
        home.mkdir(mode=0o700, exist_ok=True)
        more = {"env": os.environ | {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}}
        for name in ("design", "clear", "names"):
            *_, drawn = STACKS[name]
            for file in ("picture.ora", "picture.psd"):
                # Krita 5.1 draws a PSD's group at full opacity.
                if (name, file) == ("design", "picture.psd"):
                    continue
                with self.subTest(name=name, file=file):
                    out = FOLDER / name / f"krita.{file}.png"
                    run(display, "-a", krita, FOLDER / name / file, "--export", "--export-filename", out, **more)
                    self.same(out, drawn, f"{name} {file}", 3)


class OpenRaster(Case):
    def test_pyora_reads_and_draws_it(self):
        import pyora

        for name, (width, height, nodes, drawn) in STACKS.items():
            if name == "wide":
                continue
            with self.subTest(name=name):
                path = FOLDER / name / "picture.ora"
                project = pyora.Project.load(str(path))
                self.assertEqual(project.dimensions, (width, height))
                self.compare(list(reversed(list(project.children))), nodes, iter(range(1000)))
                self.same(project.get_image_data(use_original=True), drawn, f"{name} merged")
                with zipfile.ZipFile(path) as archive:
                    first = archive.infolist()[0]
                    self.assertEqual((first.filename, first.compress_type, first.extra), ("mimetype", 0, b""))
                    self.assertEqual(archive.read("mimetype"), b"image/openraster")
                    thumbnail = Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")))
                    self.assertLessEqual(max(thumbnail.size), 256)

    def compare(self, layers, nodes, places):
        self.assertEqual(len(layers), len(nodes))
        for found, node in zip(layers, nodes):
            self.assertEqual(found.visible, node.get("visible", True))
            self.assertAlmostEqual(found.opacity, node.get("opacity", 1), delta=0.5 / 255 + 1e-3)
            if node["type"] == "group":
                self.assertEqual(found.name, node["name"])
                self.compare(list(reversed(list(found.children))), node["nodes"], places)
                continue
            self.assertEqual(found.name, shown_name(node, next(places)))
            mode = node.get("blend_mode", "normal")
            self.assertEqual(found.composite_op, "svg:" + ("src-over" if mode == "normal" else mode))
            if node["pixels"] is not None:
                self.assertEqual(found.offsets, (node["x"], node["y"]))
                self.same(found.get_image_data(raw=True), node["pixels"], node["name"], 0)


class PowerPoint(Case):
    def test_python_pptx_finds_the_pictures_in_place(self):
        import pptx

        for name, (width, height, nodes, _) in STACKS.items():
            if name == "wide":
                continue
            with self.subTest(name=name):
                deck = pptx.Presentation(FOLDER / name / "picture.pptx")
                self.assertEqual(len(deck.slides), 1)
                unit = max(9525, 914_400 / min(width, height))
                self.assertAlmostEqual(deck.slide_width, width * unit, delta=1)
                self.assertAlmostEqual(deck.slide_height, height * unit, delta=1)
                self.compare(list(deck.slides[0].shapes), nodes, unit, iter(range(1000)))

    def compare(self, shapes, nodes, unit, places):
        shapes = iter(shapes)
        for node in nodes:
            if node["type"] == "group":
                shape = next(shapes)
                self.assertEqual(shape.name, node["name"])
                self.compare(list(shape.shapes), node["nodes"], unit, places)
                continue
            place = next(places)
            if node["pixels"] is None:
                continue
            shape = next(shapes)
            self.assertEqual(shape.name, shown_name(node, place))
            properties = shape._element.nvPicPr.cNvPr
            self.assertEqual(properties.get("descr"), shown_name(node, place))
            self.assertEqual(properties.get("hidden") == "1", not node.get("visible", True))
            size = node["pixels"].shape
            for found, pixels in ((shape.left, node["x"]), (shape.top, node["y"]), (shape.width, size[1]), (shape.height, size[0])):
                self.assertAlmostEqual(found, pixels * unit, delta=1)
            self.same(Image.open(io.BytesIO(shape.image.blob)), node["pixels"], node["name"], 0)
        self.assertIsNone(next(shapes, None))

    def test_libreoffice_draws_it(self):
        office = program("soffice")
        out = FOLDER / "office"
        run(office, f"-env:UserInstallation=file://{FOLDER}/office-home", "--headless", "--convert-to", "png", "--outdir", out, FOLDER / "design" / "picture.pptx")
        found = Image.open(out / "picture.png").convert("RGB")
        width, height, nodes, _ = STACKS["design"]
        # A group's opacity is each picture's there; and the slide is drawn at a size of LibreOffice's choice.
        flat = []
        for node in nodes:
            inside = node["nodes"] if node["type"] == "group" else [node]
            flat += [leaf | {"opacity": leaf.get("opacity", 1) * (node.get("opacity", 1) if node["type"] == "group" else 1)} for leaf in inside]
        expected = Image.fromarray(np.uint8(on(1, designs.drawn(flat, width, height)) * 255))
        found = found.resize((width, height), Image.Resampling.BOX if found.width > width else Image.Resampling.BILINEAR)
        apart = np.abs(np.asarray(found, float) - np.asarray(expected, float))
        self.assertLess(apart.mean(), 3, f"mean {apart.mean():.2f}")
        self.assertLess(np.percentile(apart, 99), 24)


class Svg(Case):
    def test_chromium_draws_it(self):
        chromium = program("chromium", "chromium-browser", "google-chrome")
        for name in ("design", "clear", "modes", "names"):
            width, height, nodes, drawn = STACKS[name]
            with self.subTest(name=name):
                path = FOLDER / name / "picture.svg"
                ElementTree.parse(path)
                page = FOLDER / name / "page.html"
                page.write_text(f"<!doctype html><body style='margin:0;background:#fff'><img src=picture.svg style='display:block'>")
                out = FOLDER / name / "chromium.png"
                run(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files", "--force-color-profile=srgb",
                    f"--user-data-dir={FOLDER}/chromium", f"--window-size={max(width, 500)},{max(height, 500)}", f"--screenshot={out}", page.as_uri())
                found = np.asarray(Image.open(out).convert("RGB"))[:height, :width] / 255
                apart = np.abs(found - on(1, drawn)) * 255
                self.assertLessEqual(apart.max(), 4, f"{name}: {apart.max()}")

    def test_names_are_labels(self):
        for name, (_, _, nodes, _) in STACKS.items():
            if name == "wide":
                continue
            tree = ElementTree.parse(FOLDER / name / "picture.svg")
            label = "{http://www.inkscape.org/namespaces/inkscape}label"
            found = [group.get(label) for group in tree.iter("{http://www.w3.org/2000/svg}g") if group.get("id")]
            self.assertEqual(found, [shown_name(node, place) for place, node in enumerate(designs.leaves(nodes))])


def flat(nodes, opacity=1.0, visible=True, places=None):
    """Layers with the opacity of their groups and whether they are drawn, each with its place."""
    places = places or iter(range(1000))
    for node in nodes:
        own = opacity * node.get("opacity", 1)
        shown = visible and node.get("visible", True)
        if node["type"] == "group":
            yield from flat(node["nodes"], own, shown, places)
        else:
            yield node | {"opacity": own, "visible": shown}, next(places)


def pages(width, height, nodes):
    """What a TIFF holds: the layers that are drawn, cut to the canvas, opacity in their alpha."""
    for node, place in flat(nodes):
        if node["pixels"] is None or not node["visible"] or round(node["opacity"] * 255) == 0:
            continue
        rows, columns = node["pixels"].shape[:2]
        left, top = max(node["x"], 0), max(node["y"], 0)
        right, bottom = min(node["x"] + columns, width), min(node["y"] + rows, height)
        if left >= right or top >= bottom:
            continue
        pixels = node["pixels"][top - node["y"] : bottom - node["y"], left - node["x"] : right - node["x"]].astype(float)
        pixels[..., 3] *= node["opacity"]
        yield shown_name(node, place), left, top, np.uint8(np.round(pixels))


class Tiff(Case):
    def test_pillow_finds_the_layers_in_place(self):
        for name, (width, height, nodes, _) in STACKS.items():
            if name == "wide":
                continue
            with self.subTest(name=name):
                expected = list(pages(width, height, nodes))
                with Image.open(FOLDER / name / "picture.tiff") as file:
                    self.assertEqual(file.n_frames, max(len(expected), 1))
                    for number, (title, left, top, pixels) in enumerate(expected):
                        file.seek(number)
                        tags = file.tag_v2
                        self.assertEqual(tags[285].encode("latin-1").decode(), title)
                        self.assertEqual((tags[33300], tags[33301], tags[296], tags[338]), (width, height, 2, (2,)))
                        self.assertEqual((round(float(tags[286]) * float(tags[282])), round(float(tags[287]) * float(tags[283]))), (left, top))
                        self.same(file, pixels, f"{name} {title}", 1.5)

    def test_imagemagick_finds_them_too(self):
        identify, convert = program("identify-im6.q16", "identify"), program("convert-im6.q16", "convert")
        for name in ("design", "clear", "names"):
            width, height, nodes, _ = STACKS[name]
            expected = list(pages(width, height, nodes))
            with self.subTest(name=name):
                path = FOLDER / name / "picture.tiff"
                told = run(identify, "-format", "%w %h %X %Y\\n", path).decode().split("\n")[:-1]
                self.assertEqual([tuple(map(int, line.split())) for line in told], [(page.shape[1], page.shape[0], left, top) for _, left, top, page in expected])
                for number, (title, *_, page) in enumerate(expected):
                    out = FOLDER / name / f"magick{number}.png"
                    run(convert, f"{path}[{number}]", "+repage", f"png32:{out}")
                    self.same(out, page, title, 1.5)

    def test_gimp_opens_them_as_layers_that_are_the_picture(self):
        gimp = program("gimp")
        drawn_by_gimp(gimp, [(FOLDER / name / "picture.tiff", FOLDER / name / "gimp-tiff.png") for name in ("design", "clear")])
        for name in ("design", "clear"):
            with self.subTest(name=name):
                width, height, nodes, _ = STACKS[name]
                normal = [node | {"blend_mode": "normal"} for node, _ in flat(nodes)]
                self.same(FOLDER / name / "gimp-tiff.png", designs.drawn(normal, width, height), name, 3)


class Gif(Case):
    def test_it_begins_with_the_picture_and_moves(self):
        for name, (width, height, nodes, drawn) in STACKS.items():
            if name == "wide":
                continue
            with self.subTest(name=name), Image.open(FOLDER / name / "picture.gif") as file:
                self.assertEqual((file.n_frames, file.info["duration"], file.info["loop"]), (24, 80, 0))
                self.assertEqual(max(file.size), min(max(width, height), 480))
                frames = []
                for number in range(24):
                    file.seek(number)
                    frames.append(np.asarray(file.convert("RGB"), float))
                if name in ("design", "clear"):
                    white = Image.fromarray(np.uint8(on(1, drawn) * 255)).resize(file.size, Image.Resampling.BOX)
                    self.assertLess(np.abs(frames[0] - np.asarray(white, float)).mean(), 12)
                    self.assertGreater(np.abs(frames[6] - frames[18]).mean(), 1)
                    self.assertLess(np.abs(frames[0] - frames[12]).mean(), 1)


class Zip(Case):
    def test_it_unpacks_and_its_manifest_is_valid(self):
        import jsonschema

        unzip = program("unzip")
        schema = json.loads((HERE / "../../manifest.schema.json").read_text("utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        for name, (width, height, nodes, _) in STACKS.items():
            if name == "wide":
                continue
            with self.subTest(name=name):
                for file in ("picture.zip", "picture.ora", "picture.pptx"):
                    run(unzip, "-tqq", FOLDER / name / file)
                out = FOLDER / name / "unpacked"
                run(unzip, "-qq", "-o", FOLDER / name / "picture.zip", "-d", out)
                manifest = json.loads((out / "manifest.json").read_text("utf-8"))
                jsonschema.Draft202012Validator(schema).validate(manifest)
                self.assertEqual((manifest["width"], manifest["height"]), (width, height))
                self.compare(out, manifest["nodes"], nodes, iter(range(1000)))

    def compare(self, out, found, nodes, places):
        self.assertEqual(len(found), len(nodes))
        for entry, node in zip(found, nodes):
            if node["type"] == "group":
                self.compare(out, entry["nodes"], node["nodes"], places)
                continue
            self.assertEqual(entry["name"], shown_name(node, next(places)))
            if node["pixels"] is None:
                self.assertIsNone(entry["file"])
                continue
            path = (out / entry["file"]).resolve()
            self.assertTrue(path.is_relative_to(out.resolve()), path)
            self.assertEqual((entry["x"], entry["y"]), (node["x"], node["y"]))
            self.same(path, node["pixels"], node["name"], 0)


class Png(Case):
    def test_the_whole_is_as_the_arithmetic_says(self):
        for name, (_, _, _, drawn) in STACKS.items():
            if name != "wide":
                with self.subTest(name=name):
                    self.same(FOLDER / name / "picture.png", drawn, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
