"""JPEG: sampling, scans, restarts, headers, colours, ends, and what has to be refused."""

import io
import itertools

from PIL import Image

from jpegs import JFIF, Component, Picture, adobe, segment

SIZES = [(1, 1), (7, 9), (16, 16), (33, 17), (64, 64), (70, 3)]
# Across and down of the three components, luma first.
SAMPLINGS = [
    ((1, 1), (1, 1), (1, 1)), ((2, 1), (1, 1), (1, 1)), ((1, 2), (1, 1), (1, 1)), ((2, 2), (1, 1), (1, 1)),
    ((4, 1), (1, 1), (1, 1)), ((1, 4), (1, 1), (1, 1)), ((4, 2), (1, 1), (1, 1)), ((2, 4), (1, 1), (1, 1)),
    ((2, 2), (2, 1), (2, 1)), ((2, 2), (1, 2), (1, 2)), ((2, 2), (2, 2), (2, 2)), ((2, 1), (2, 1), (2, 1)),
    ((2, 2), (2, 1), (1, 1)), ((2, 2), (1, 1), (1, 2)), ((1, 1), (2, 1), (2, 1)), ((1, 1), (2, 2), (2, 2)),
    ((3, 1), (1, 1), (1, 1)), ((1, 3), (1, 1), (1, 1)), ((4, 1), (2, 1), (2, 1)), ((1, 2), (1, 2), (1, 1)),
]
ORDERS = {
    "interleaved": [[0, 1, 2]], "single": [[0], [1], [2]], "chroma-first": [[1], [2], [0]],
    "luma-apart": [[0], [1, 2]], "last-first": [[2], [0], [1]], "pair": [[0, 1], [2]],
}
REFINED = [([0, 1, 2], (0, 0), (0, 1)), ([0], (1, 5), (0, 2)), ([2], (1, 63), (0, 1)), ([1], (1, 63), (0, 1)),
           ([0], (6, 63), (0, 2)), ([0], (1, 63), (2, 1)), ([0, 1, 2], (0, 0), (1, 0)), ([2], (1, 63), (1, 0)),
           ([1], (1, 63), (1, 0)), ([0], (1, 63), (1, 0))]
SPECTRAL = [([1], (0, 0), (0, 0)), ([2], (0, 0), (0, 0)), ([0], (0, 0), (0, 0)),
            ([0], (1, 20), (0, 0)), ([1], (1, 63), (0, 0)), ([0], (21, 63), (0, 0)), ([2], (1, 63), (0, 0))]
MEANS_ONLY = [([0, 1, 2], (0, 0), (0, 0))]


def luma(x, y):
    return 30 + 2.9 * x if (int(x) // 9 + int(y) // 7) % 2 else 220 - 2.5 * y


def blue(x, y):
    return 90 + x if x < 40 else 200 - 1.5 * y


def red(x, y):
    return 210 - 2 * y if y < 30 else 60 + x


def picture(size, sampling, idents=(1, 2, 3), step=4):
    planes = [luma, blue, red, lambda x, y: 255 - (x + y)]
    return Picture(*size, [Component(ident, *factors, plane)
                           for ident, factors, plane in zip(idents, sampling, planes)], step)


def too_many(sampling, scans):
    """An MCU has at most ten blocks (B.2.3)."""
    areas = [across * down for across, down in sampling]
    return any(len(scan) > 1 and sum(areas[index] for index in scan) > 10 for scan in scans)


def tag(sampling):
    return "-".join(f"{across}{down}" for across, down in sampling)


def write(put):
    samplings(put)
    colours(put)
    ends(put)
    libraries(put)
    refusals(put)


def samplings(put):
    for size, sampling in itertools.product(SIZES, SAMPLINGS):
        p = picture(size, sampling)
        name = f"jpeg-{size[0]}x{size[1]}-{tag(sampling)}"
        for restart in (0, 1, 3):
            for order, scans in ORDERS.items():
                if restart and size != (33, 17) or too_many(sampling, scans):
                    continue
                file = p.file(scans, restart=restart)
                put(f"{name}-{order}-r{restart}.jpg", file, file)
        for script, scans in {"refined": REFINED, "spectral": SPECTRAL, "means": MEANS_ONLY}.items():
            for restart in (0, 2):
                if too_many(sampling, [indexes for indexes, _, _ in scans]):
                    continue
                file = p.progressive(scans, restart=restart)
                put(f"{name}-{script}-r{restart}.jpg", file, file)
    for size, factors in itertools.product(SIZES, [(1, 1), (2, 2), (4, 1), (1, 3)]):
        p = picture(size, [factors])
        file = p.file([[0]], restart=3)
        put(f"jpeg-grey-{size[0]}x{size[1]}-{tag([factors])}.jpg", file, file)
    p = picture((40, 40), SAMPLINGS[3])
    for marker in (0xC0, 0xC1):
        file = p.file([[0, 1, 2]], marker=marker)
        put(f"jpeg-sof{marker & 15}.jpg", file, file)
    file = p.file([[1], [2], [0]], typical_once=True)
    put("jpeg-tables-once.jpg", file, file)
    file = p.progressive(REFINED, empty_tables=True)
    put("jpeg-empty-tables.jpg", file, file)
    # Fill bytes may stand before any marker.
    file = p.file([[0, 1, 2]]).replace(b"\xff\xda", b"\xff\xff\xff\xda")
    put("jpeg-fill-bytes.jpg", file, file)


def colours(put):
    headers = {
        "none": b"", "jfif": JFIF, "jfif-short": segment(0xE0, b"JFIF\0\1\1\0"),
        "jfif-thumbnail": segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\1\1abc"), "jfxx": segment(0xE0, b"JFXX\0\x10" + b"a" * 12),
        "jfif-exif-first": segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0") + JFIF,
    }
    for transform in (0, 1, 2, 7):
        headers[f"adobe{transform}"] = adobe(transform)
        headers[f"adobe{transform}-long"] = adobe(transform, b"xyz")
        headers[f"jfif-adobe{transform}"] = JFIF + adobe(transform)
        headers[f"adobe{transform}-jfif"] = adobe(transform) + JFIF
    headers["adobe-short"] = segment(0xEE, b"Adobe\0\x64\0\0\0")
    headers["adobe-twice"] = adobe(1) + adobe(0)
    headers["adobe-twice-other"] = adobe(0) + adobe(1)
    headers["adobe-other"] = segment(0xEE, b"Adobf\0\x64\0\0\0\0\0")
    idents = [(1, 2, 3), (0, 1, 2), (82, 71, 66), (1, 34, 35), (9, 8, 7), (114, 103, 98), (82, 71, 67)]
    for (name, header), ids in itertools.product(headers.items(), idents):
        p = picture((24, 20), SAMPLINGS[0], ids)
        file = p.file([[0, 1, 2]], header)
        put(f"jpeg-colour-{name}-{'-'.join(map(str, ids))}.jpg", file, file)
    for name, header in headers.items():
        p = picture((24, 20), SAMPLINGS[3])
        file = p.file([[0, 1, 2]], header)
        put(f"jpeg-colour420-{name}.jpg", file, file)
        p = picture((24, 20), [(1, 1)])
        file = p.file([[0]], header)
        put(f"jpeg-colour1-{name}.jpg", file, file)
        for kind, sampling in {"444": [(1, 1)] * 4, "420": [(2, 2), (1, 1), (1, 1), (2, 2)]}.items():
            p = picture((24, 20), sampling, (1, 2, 3, 4))
            for order, scans in {"one": [[0, 1, 2, 3]], "apart": [[3], [2], [1], [0]]}.items():
                file = p.file(scans, header)
                put(f"jpeg-colour4-{name}-{kind}-{order}.jpg", file, file)
    # The marker may stand behind the frame header as well.
    p = picture((24, 20), SAMPLINGS[0])
    file = p.file([[0, 1, 2]], b"")
    at = file.index(b"\xff\xc4")
    put("jpeg-colour-adobe-late.jpg", file[:at] + adobe(0) + file[at:], file[:at] + adobe(0) + file[at:])


def ends(put):
    for name, p in {"420": picture((33, 17), SAMPLINGS[3]), "grey": picture((33, 17), [(1, 1)])}.items():
        scans = [[0, 1, 2]] if name == "420" else [[0]]
        whole = p.file(scans)
        bare = whole[:-2]
        put(f"jpeg-end-{name}-missing.jpg", bare, whole)
        put(f"jpeg-end-{name}-half.jpg", bare + b"\xff", whole)
        put(f"jpeg-end-{name}-padded.jpg", bare + bytes(600), whole)
        put(f"jpeg-end-{name}-filled.jpg", bare + b"\xff" * 300, whole)
        for kind, trailer in {
            "samsung": b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1700000000000SEFHk\0\0\0\1\0\0\0SEFT",
            "film": b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\xff\xda\xff\xc4\xff" * 20,
            "second": whole, "text": b"SECRET-4711" * 40,
        }.items():
            put(f"jpeg-end-{name}-{kind}.jpg", whole + trailer, whole)
            put(f"jpeg-end-{name}-missing-{kind}.jpg", bare + trailer, whole)
        put(f"jpeg-end-{name}-behind-data.jpg", bare + b"\x12\x34\x56" * 9 + b"\xff\xd9", whole)
        start = whole.index(b"\xff\xda")
        for cut in (start + 20, start + (len(whole) - start) // 2, len(whole) - 12):
            put(f"jpeg-cut-{name}-{cut}.jpg", whole[:cut], "image_truncated")
            put(f"jpeg-cut-{name}-{cut}-ended.jpg", whole[:cut] + b"\xff\xd9", "image_truncated")
    p = picture((64, 64), SAMPLINGS[3])
    whole = p.file([[0], [1], [2]])
    third = whole.rindex(b"\xff\xc4")
    put("jpeg-cut-plane.jpg", whole[:third] + b"\xff\xd9", "image_truncated")
    put("jpeg-cut-plane-unended.jpg", whole[:third], "image_truncated")
    whole = p.file([[0, 1, 2]], restart=4)
    second = whole.index(b"\xff\xd1") + 2
    put("jpeg-cut-restart.jpg", whole[:second] + b"\xff\xd9", "image_truncated")
    first = whole.index(b"\xff\xd0")
    put("jpeg-cut-interval.jpg", whole[:first] + whole[second - 2:], "image_corrupt")
    whole = p.progressive(REFINED)
    first = whole.index(b"\xff\xda")
    put("jpeg-cut-progressive-first.jpg", whole[:first + 60] + b"\xff\xd9", "image_truncated")
    # Every block has its mean and none its fine bands: encoders end so, and viewers show it.
    second = whole.index(b"\xff\xc4", first + 2)
    put("jpeg-progressive-short-script.jpg", whole[:second] + b"\xff\xd9", whole[:second] + b"\xff\xd9")


def libraries(put):
    """What libjpeg-turbo itself writes."""
    base = Image.frombytes("RGB", (61, 47), bytes(
        int(value) & 255 for y in range(47) for x in range(61) for value in (x * 4, y * 5, 128 + 60 * ((x // 8 + y // 8) % 2))))
    for quality, subsampling, progressive, optimise, restart in itertools.product(
            (5, 75, 100), (0, 1, 2), (False, True), (False, True), (0, 3)):
        out = io.BytesIO()
        base.save(out, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive, optimize=optimise,
                  restart_marker_blocks=restart)
        put(f"jpeg-turbo-{quality}-{subsampling}-{progressive:d}{optimise:d}-{restart}.jpg", out.getvalue(), out.getvalue())
    for mode in ("L", "CMYK"):
        for progressive in (False, True):
            out = io.BytesIO()
            base.convert(mode).save(out, "JPEG", progressive=progressive)
            put(f"jpeg-turbo-{mode}-{progressive:d}.jpg", out.getvalue(), out.getvalue())
    out = io.BytesIO()
    base.save(out, "JPEG", keep_rgb=True)
    put("jpeg-turbo-rgb.jpg", out.getvalue(), out.getvalue())


def refusals(put):
    p = picture((24, 20), SAMPLINGS[3])
    whole = p.file([[0, 1, 2]])
    for marker in (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF):
        put(f"jpeg-sof{marker & 15}.jpg", p.file([[0, 1, 2]], marker=marker), "image_variant_unsupported")
    at = whole.index(b"\xff\xc0")
    put("jpeg-12-bit.jpg", whole[:at + 4] + b"\x0c" + whole[at + 5:], "image_variant_unsupported")
    put("jpeg-late-height.jpg", whole[:at + 5] + b"\0\0" + whole[at + 7:], "image_variant_unsupported")
    put("jpeg-two-components.jpg", picture((24, 20), [(1, 1)] * 2).file([[0, 1]]), "image_variant_unsupported")
    # A webcam's frame: no tables, which means the typical ones. The typical tables of chroma are numbered 1; with
    # the picture's own numbers all 0 the writer's tables are the typical ones of luma.
    frame = p.file([[0, 1, 2]], segment(0xE0, b"AVI1" + bytes(10)))
    start = frame.index(b"\xff\xc4")
    put("jpeg-webcam.jpg", frame[:start] + frame[frame.index(b"\xff\xda"):], frame)
    dqt = whole.index(b"\xff\xdb")
    put("jpeg-no-quantisation.jpg", whole[:dqt] + whole[at:], "image_corrupt")
    # 3 against 2 is no whole number of samples; no reader takes it.
    odd = picture((24, 20), [(3, 1), (2, 1), (1, 1)]).file([[0, 1, 2]])
    put("jpeg-fractional.jpg", odd, "image_variant_unsupported")
