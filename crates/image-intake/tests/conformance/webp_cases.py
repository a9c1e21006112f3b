"""WebP: lossy, lossless, alpha in its kinds, animated, and the order and padding of chunks. Written and read by libwebp."""

import io
import itertools

from PIL import Image


def picture(size, alpha):
    width, height = size
    pixels = bytearray()
    for y, x in itertools.product(range(height), range(width)):
        pixels += bytes([(x * 9) & 255, (y * 13) & 255, (x * y * 3 + 40) & 255, (x * 17 + y * 5) & 255 if alpha else 255])
    image = Image.frombytes("RGBA", size, bytes(pixels))
    return image if alpha else image.convert("RGB")


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, "WEBP", **options)
    return out.getvalue()


def chunk(kind, body):
    return kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) & 1)


def write(put):
    for size, alpha in itertools.product([(1, 1), (7, 9), (16, 16), (33, 17), (70, 41)], (False, True)):
        image = picture(size, alpha)
        name = f"webp-{size[0]}x{size[1]}-{alpha:d}"
        for quality, method in itertools.product((1, 60, 100), (0, 4, 6)):
            file = saved(image, quality=quality, method=method)
            put(f"{name}-lossy-{quality}-{method}.webp", file, file)
        for method, exact in itertools.product((0, 6), (False, True)):
            file = saved(image, lossless=True, method=method, exact=exact)
            put(f"{name}-lossless-{method}-{exact:d}.webp", file, file)
        if alpha:
            file = saved(image, quality=70, alpha_quality=20)
            put(f"{name}-alpha-lossy.webp", file, file)
    for lossless in (False, True):
        frames = [picture((20, 14), True), Image.new("RGBA", (20, 14), (9, 200, 9, 255))]
        file = saved(frames[0], save_all=True, append_images=frames[1:], duration=100, lossless=lossless)
        put(f"webp-animated-{lossless:d}.webp", file, file)
    plain = saved(picture((33, 17), False), quality=80)
    put("webp-trailer.webp", plain + b"SECRET-4711" * 3, plain)
    body = plain[12:]
    unknown = b"WEBP" + body + chunk(b"JUNK", b"SECRET-4711")
    put("webp-unknown-chunk.webp", chunk(b"RIFF", unknown), plain)
    for cut in (30, len(plain) // 2, len(plain) - 3):
        put(f"webp-cut-{cut}.webp", plain[:cut], "image_truncated")
