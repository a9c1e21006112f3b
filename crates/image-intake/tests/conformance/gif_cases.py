"""GIF: code sizes, interlace, transparency, disposal, local tables, odd blocks and ends; by a byte writer of its own."""

import itertools
import struct

from PIL import Image

ORDER = [(0, 8), (4, 8), (2, 4), (1, 2)]


def lzw(indexes, size):
    """Codes without compression: a clear often enough that the code size never grows; any reader takes it."""
    clear, bits, held, count, out = 1 << size, size + 1, 0, 0, bytearray()
    codes = [clear]
    for number, index in enumerate(indexes):
        if number and number % ((1 << size) - 2) == 0:
            codes.append(clear)
        codes.append(index)
    codes.append(clear + 1)
    for code in codes:
        held |= code << count
        count += bits
        while count >= 8:
            out.append(held & 255)
            held >>= 8
            count -= 8
    if count:
        out.append(held)
    blocks = b"".join(bytes([len(out[at:at + 255])]) + bytes(out[at:at + 255]) for at in range(0, len(out), 255))
    return bytes([size]) + blocks + b"\0"


def table(size, shift=0):
    return b"".join(bytes([(i * 50 + shift) & 255, (i * 90 + shift) & 255, 255 - (i * 30 & 255)]) for i in range(1 << size))


def frame(box, indexes, size, interlaced=False, local=b""):
    x, y, width, height = box
    rows = [indexes[at:at + width] for at in range(0, width * height, width)]
    if interlaced:
        rows = [rows[at] for start, step in ORDER for at in range(start, height, step)]
    flags = (0x40 if interlaced else 0) | (0x80 | size - 1 if local else 0)
    flat = [index for row in rows for index in row]
    return b"\x2c" + struct.pack("<HHHHB", x, y, width, height, flags) + local + lzw(flat, max(2, size))


def control(disposal=0, transparent=None):
    flags = disposal << 2 | (transparent is not None)
    return b"\x21\xf9\x04" + bytes([flags, 10, 0, transparent or 0]) + b"\0"


def gif(size, depth, body, background=0, version=b"GIF89a", has_table=True):
    flags = 0x80 | depth - 1 if has_table else 0
    return (version + struct.pack("<HHBBB", *size, flags, background, 0) + (table(depth) if has_table else b"") + body)


def write(put):
    for depth, size, interlaced in itertools.product((1, 2, 4, 8), [(1, 1), (9, 7), (20, 33)], (False, True)):
        count = size[0] * size[1]
        indexes = [(at * 7 + at // size[0]) % (1 << depth) for at in range(count)]
        whole = (0, 0, *size)
        name = f"gif-{depth}-{size[0]}x{size[1]}-{interlaced:d}"
        file = gif(size, depth, frame(whole, indexes, depth, interlaced) + b"\x3b")
        put(f"{name}.gif", file, file)
        old = gif(size, depth, frame(whole, indexes, depth, interlaced) + b"\x3b", version=b"GIF87a")
        put(f"{name}-87a.gif", old, old)
        for disposal in range(4):
            file = gif(size, depth, control(disposal, 1) + frame(whole, indexes, depth, interlaced)
                       + control() + frame(whole, indexes[::-1], depth) + b"\x3b")
            put(f"{name}-disposal{disposal}.gif", file, file)
        file = gif(size, depth, frame(whole, indexes, depth, interlaced, table(depth, 33)) + b"\x3b")
        put(f"{name}-local.gif", file, file)
        file = gif(size, depth, frame(whole, indexes, depth, interlaced, table(depth, 33)) + b"\x3b", has_table=False)
        put(f"{name}-local-only.gif", file, file)
    size, indexes = (8, 8), [at % 4 for at in range(64)]
    one = frame((0, 0, 8, 8), indexes, 2)
    plain = gif(size, 2, one + b"\x3b")
    comment = b"\x21\xfe\x0bSECRET-4711\0"
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    odd = b"\x21\x42\x02ab\x01c\0"
    for name, body in {
        "no-trailer": one, "zero-before-trailer": one + b"\0\x3b", "zeros-at-end": one + b"\0\0\0\0",
        "zero-between": one + b"\0" + one + b"\x3b", "zero-first": b"\0" + one + b"\x3b", "behind-trailer": one + b"\x3b" + b"junk" * 9,
        "comment": comment + one + comment + b"\x3b", "loop": loop + one + b"\x3b", "unknown-extension": odd + one + odd + b"\x3b",
        "control-twice": control() + control() + one + b"\x3b", "empty-comment": b"\x21\xfe\0" + one + b"\x3b",
    }.items():
        put(f"gif-{name}.gif", gif(size, 2, body), plain)
    # A first frame that covers a part: the rest shows nothing.
    part = gif((16, 12), 2, frame((3, 2, 8, 8), indexes, 2) + b"\x3b")
    inner = Image.new("RGBA", (16, 12), (0, 0, 0, 0))
    colours = table(2)
    for at, index in enumerate(indexes):
        inner.putpixel((3 + at % 8, 2 + at // 8), (*colours[index * 3:index * 3 + 3], 255))
    put("gif-part.gif", part, inner)
    whole = plain
    for cut in (30, len(whole) - 6):
        put(f"gif-cut-{cut}.gif", whole[:cut], "image_truncated")
