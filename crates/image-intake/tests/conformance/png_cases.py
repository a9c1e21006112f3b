"""PNG: every colour type, depth and interlace, transparency, colour tags, animation, and room behind the data.

Plain samples are compared with Pillow. Pillow converts no colours, so for tagged files the truth is computed here, from
the standards' own formulas in floating point.
"""

import io
import itertools
import struct
import zlib

from PIL import Image, ImageCms

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, body):
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def packed(samples, depth):
    if depth == 16:
        return b"".join(sample.to_bytes(2, "big") for sample in samples)
    if depth == 8:
        return bytes(samples)
    out, held, count = bytearray(), 0, 0
    for sample in samples:
        held, count = held << depth | sample, count + depth
        if count == 8:
            out.append(held)
            held, count = 0, 0
    if count:
        out.append(held << 8 - count)
    return bytes(out)


def filtered(rows, step):
    """Each row with another of the five filters."""
    out, before = bytearray(), None
    for number, row in enumerate(rows):
        kind = number % 5
        before = before or bytes(len(row))
        left = bytes(step) + row
        corner = bytes(step) + before
        out.append(kind)
        for at, value in enumerate(row):
            a, b, c = left[at], before[at], corner[at]
            guess = a + b - c
            near = min((abs(guess - a), 0, a), (abs(guess - b), 1, b), (abs(guess - c), 2, c))[2]
            out.append(value - (0, a, b, (a + b) // 2, near)[kind] & 255)
        before = row
    return bytes(out)


def raw(size, colour, depth, sample, interlaced=False):
    """The filtered bytes; `sample(x, y, channel)` is a number of `depth` bits."""
    width, height = size
    step = max(1, CHANNELS[colour] * depth // 8)
    out = b""
    for x0, y0, dx, dy in PASSES if interlaced else [(0, 0, 1, 1)]:
        rows = [packed([sample(x, y, c) for x in range(x0, width, dx) for c in range(CHANNELS[colour])], depth)
                for y in range(y0, height, dy)]
        if rows and rows[0]:
            out += filtered(rows, step)
    return out


def png(size, colour, depth, sample, interlaced=False, before=b"", pieces=1, behind=b"", more=b""):
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, int(interlaced))
    data = zlib.compress(raw(size, colour, depth, sample, interlaced) + more) + behind
    cut = -(-len(data) // pieces)
    idat = b"".join(chunk(b"IDAT", data[at:at + cut]) for at in range(0, len(data), cut))
    return SIGNATURE + chunk(b"IHDR", header) + before + idat + chunk(b"IEND", b"")


def pattern(depth):
    most = (1 << depth) - 1
    return lambda x, y, c: (x * 37 + y * 91 + c * 113 + x * y * 7) * (1 if depth < 16 else 977) & most


PALETTE = chunk(b"PLTE", bytes((i * 7 + c * 60) & 255 for i in range(256) for c in range(3)))


def write(put):
    plain(put)
    tags(put)
    animations(put)
    room(put)


def plain(put):
    for (colour, depths), interlaced in itertools.product(DEPTHS.items(), (False, True)):
        for depth, size in itertools.product(depths, [(1, 1), (3, 5), (8, 8), (33, 9)]):
            before = chunk(b"PLTE", PALETTE[8:8 + 3 * (1 << depth)]) if colour == 3 else b""
            file = png(size, colour, depth, pattern(depth), interlaced, before, pieces=2)
            name = f"png-{colour}-{depth}-{size[0]}x{size[1]}-{interlaced:d}"
            put(f"{name}.png", file, deep(size, colour, pattern(depth)) if depth == 16 else file)
            if colour == 3:
                keyed = before + chunk(b"tRNS", bytes([0, 90, 180][:1 << depth]))
            elif colour in (0, 2):
                key = [pattern(depth)(0, 0, c) for c in range(CHANNELS[colour])]
                keyed = chunk(b"tRNS", b"".join(value.to_bytes(2, "big") for value in key))
            else:
                continue
            file = png(size, colour, depth, pattern(depth), interlaced, keyed)
            if depth == 16:
                put(f"{name}-trns.png", file, deep(size, colour, pattern(depth), key))
            elif depth == 8 or colour == 3:
                put(f"{name}-trns.png", file, file)


def deep(size, colour, sample, key=None, tone=lambda rgb: rgb):
    """16 bits to 8, rounded; `tone` maps three values of 0 to 1."""
    out = bytearray()
    for y, x in itertools.product(range(size[1]), range(size[0])):
        values = [sample(x, y, c) for c in range(CHANNELS[colour])]
        alpha = values.pop() if colour in (4, 6) else 0 if key == values else 65535
        rgb = values * 3 if len(values) == 1 else values
        out += bytes(int(value * 255 + 0.5) for value in tone([value / 65535 for value in rgb]))
        out.append(int(alpha / 257 + 0.5))
    return Image.frombytes("RGBA", size, bytes(out))


def srgb(light):
    light = min(1.0, max(0.0, light))
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def through(matrix, light):
    return [sum(factor * value for factor, value in zip(row, light)) for row in matrix]


# Linear light to linear sRGB, from the primaries' chromaticities (ITU-R BT.2087; CSS Color 4).
P3 = [[1.2249401762805598, -0.2249401762805598, 0], [-0.0420569547096881, 1.0420569547096881, 0],
      [-0.0196375545903344, -0.0786360455506319, 1.0982736001409663]]
BT2020 = [[1.6604910, -0.5876411, -0.0728499], [-0.1245505, 1.1328999, -0.0083494], [-0.0181508, -0.1005789, 1.1187297]]


def pq(signal):
    power = signal ** (1 / 78.84375)
    return 10000 * (max(0.0, power - 0.8359375) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125) / 203


def hlg(signals):
    scene = [s * s / 3 if s <= 0.5 else (2.718281828459045 ** ((s - 0.55991073) / 0.17883277) + 0.28466892) / 12
             for s in signals]
    y = 0.2627 * scene[0] + 0.6780 * scene[1] + 0.0593 * scene[2]
    return [1000 * y ** 0.2 * value / 203 for value in scene]


def shown(light):
    brightest = max(1.0, *light)
    return [srgb(value / brightest) for value in light]


def tags(put):
    size = (64, 4)

    def ramp(x, y, c):
        return int((x / 63) ** 2 * 65535) if c == y or y == 3 else int(x / 63 * 20000)

    def ramp8(x, y, c):
        return ramp(x, y, c) >> 8

    linear = chunk(b"gAMA", (100000).to_bytes(4, "big"))
    for colour in (0, 2, 4, 6):
        tone = lambda rgb: [srgb(value) for value in rgb]
        put(f"png-linear-{colour}.png", png(size, colour, 16, ramp, before=linear), deep(size, colour, ramp, tone=tone), 1)
    for gamma in (55556, 38462, 30000):
        tag = chunk(b"gAMA", gamma.to_bytes(4, "big"))
        tone = lambda rgb: [srgb(value ** (100000 / gamma)) for value in rgb]
        put(f"png-gamma-{gamma}.png", png(size, 2, 16, ramp, before=tag), deep(size, 2, ramp, tone=tone), 1)
    srgb_gamma = chunk(b"gAMA", (45455).to_bytes(4, "big"))
    put("png-gamma-srgb.png", png(size, 2, 16, ramp, before=srgb_gamma), deep(size, 2, ramp))
    # An sRGB chunk stands above gAMA, and cICP above everything.
    both = chunk(b"sRGB", b"\0") + linear
    put("png-srgb-above-gamma.png", png(size, 2, 16, ramp, before=both), deep(size, 2, ramp))
    p3 = chunk(b"cICP", bytes([12, 13, 0, 1]))
    expected = lambda rgb: [srgb(v) for v in through(P3, [unsrgb(value) for value in rgb])]
    put("png-cicp-p3.png", png(size, 2, 16, ramp, before=p3 + both), deep(size, 2, ramp, tone=expected), 1)
    chroma = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    chrm = chunk(b"cHRM", b"".join(value.to_bytes(4, "big") for value in chroma))
    put("png-chrm-p3.png", png(size, 2, 16, ramp, before=chrm + srgb_gamma), deep(size, 2, ramp, tone=expected), 2)
    for primaries, matrix in ((9, BT2020), (12, P3), (1, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])):
        tag = chunk(b"cICP", bytes([primaries, 16, 0, 1]))
        tone = lambda rgb: shown(through(matrix, [pq(value) for value in rgb]))
        put(f"png-pq-{primaries}.png", png(size, 2, 16, ramp, before=tag), deep(size, 2, ramp, tone=tone), 1)
    tag = chunk(b"cICP", bytes([9, 18, 0, 1]))
    tone = lambda rgb: shown(through(BT2020, hlg(rgb)))
    put("png-hlg.png", png(size, 2, 16, ramp, before=tag), deep(size, 2, ramp, tone=tone), 1)
    # HDR in 8 bits, as screenshots have it.
    scaled = lambda x, y, c: ramp8(x, y, c) * 257
    tag = chunk(b"cICP", bytes([9, 16, 0, 1]))
    tone = lambda rgb: shown(through(BT2020, [pq(value) for value in rgb]))
    put("png-pq-8.png", png(size, 2, 8, ramp8, before=tag), deep(size, 2, scaled, tone=tone), 1)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc = chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(profile))
    put("png-icc-srgb.png", png(size, 2, 16, ramp, before=icc), deep(size, 2, ramp), 1)
    put("png-icc-damaged.png", png(size, 2, 8, ramp8, before=chunk(b"iCCP", b"x\0\0abc")), png(size, 2, 8, ramp8))


def unsrgb(signal):
    return signal / 12.92 if signal <= 0.04045 else ((signal + 0.055) / 1.055) ** 2.4


def animations(put):
    size = (9, 7)
    first = png(size, 2, 8, pattern(8))
    control = chunk(b"acTL", struct.pack(">II", 2, 0))
    frame = struct.pack(">IIIIIHHBB", 0, *size, 0, 0, 1, 10, 0, 0)
    later = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 1, *size, 0, 0, 1, 10, 0, 0))
    data = chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(raw(size, 2, 8, lambda x, y, c: 9)))
    end = first.index(b"IEND") - 4
    for name, before in {"default-shown": control + chunk(b"fcTL", frame), "default-hidden": control}.items():
        file = first[:33] + before + first[33:end] + later + data + first[end:]
        put(f"apng-{name}.png", file, first)


def room(put):
    """The picture is whole; what stands behind its data is looked for in the tests, not here."""
    size = (9, 7)
    plain = png(size, 2, 8, pattern(8))
    put("png-behind-stream.png", png(size, 2, 8, pattern(8), behind=b"SECRET-4711" * 9), plain)
    put("png-behind-rows.png", png(size, 2, 8, pattern(8), more=b"SECRET-4711" * 9), plain)
    at = plain.index(b"IEND") - 4
    put("png-behind-chunk.png", plain[:at] + chunk(b"IDAT", b"SECRET-4711") + plain[at:], plain)
    put("png-behind-end.png", plain + b"SECRET-4711", plain)
    put("png-text.png", plain[:33] + chunk(b"tEXt", b"a\0SECRET-4711") + plain[33:], plain)
    put("png-cut.png", plain[:-40], "image_truncated")
    apple = plain[:8] + chunk(b"CgBI", b"\x50\0\x20\2") + plain[8:]
    put("png-apple.png", apple, "image_variant_unsupported")
    out = io.BytesIO()
    Image.new("RGBA", (40, 30), (200, 40, 40, 128)).save(out, "PNG")
    put("png-pillow.png", out.getvalue(), out.getvalue())
