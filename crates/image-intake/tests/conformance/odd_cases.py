"""What other programs write and no textbook shows: phones' metadata in odd places, headers that lie, ends that are missing, tables
that are too short. Each is what its plain picture is for Pillow or for browsers, or a refusal by its name."""

import io
import struct
import zlib

from PIL import Image, ImageCms

import gif_cases
import jpeg_cases
import png_cases
import webp_cases
from jpegs import JFIF, adobe, segment


def write(put):
    jpeg_metadata(put)
    jpeg_structure(put)
    png_tags(put)
    png_chunks(put)
    webp_headers(put)
    webp_frames(put)
    gif_screens(put)
    gif_codes(put)


def exif(orientation, kind=3, little=False, entries=()):
    """A TIFF structure whose first directory has this orientation (274) among others."""
    order = "<" if little else ">"
    fields = sorted([(274, kind, 1, orientation), *entries])
    body = struct.pack(order + "H", len(fields))
    for tag, field, count, value in fields:
        packed = struct.pack(order + "HH", value, 0) if field == 3 else struct.pack(order + "I", value)
        body += struct.pack(order + "HHI", tag, field, count) + packed
    return (b"II*\0\x08\0\0\0" if little else b"MM\0*\0\0\0\x08") + body + bytes(4)


def turned(file, orientation):
    """What shows of a file whose orientation is this one."""
    image = Image.open(io.BytesIO(file)).convert("RGBA")
    ways = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_90}
    return image.transpose(ways[orientation]) if orientation in ways else image


def app1(block):
    return segment(0xE1, b"Exif\0\0" + block)


def jpeg_metadata(put):
    p = jpeg_cases.picture((40, 24), jpeg_cases.SAMPLINGS[3])
    plain = p.file([[0, 1, 2]])
    frame = plain.index(b"\xff\xc0")
    scan = plain.index(b"\xff\xda")
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>SECRET-4711</x:xmpmeta>")
    for orientation in range(1, 9):
        for little in (False, True):
            block = app1(exif(orientation, little=little, entries=[(256, 4, 1, 40), (271, 2, 4, 0x41414100)]))
            put(f"odd-exif-{orientation}-{little:d}.jpg", plain[:2] + block + plain[2:], turned(plain, orientation))
    # Behind XMP, behind the frame, right before the scan; the first of two counts.
    six = app1(exif(6))
    for name, at, more in (("xmp", 2, xmp), ("frame", frame, b""), ("scan", scan, b"")):
        put(f"odd-exif-{name}.jpg", plain[:at] + more + six + plain[at:], turned(plain, 6))
    put("odd-exif-twice.jpg", plain[:2] + six + app1(exif(3)) + plain[2:], turned(plain, 6))
    for value in (0, 9, 255):
        put(f"odd-exif-value-{value}.jpg", plain[:2] + app1(exif(value)) + plain[2:], plain)
    for name, block in {"empty": b"", "cut": exif(6)[:9], "far": b"MM\0*\xff\xff\xff\xf0", "loop": b"II*\0\0\0\0\0"}.items():
        put(f"odd-exif-{name}.jpg", plain[:2] + app1(block) + plain[2:], plain)
    # The second picture of the file (a gain map, a preview) is turned, the first is not.
    other = plain[:2] + six + plain[2:]
    mpf = segment(0xE2, b"MPF\0MM\0*\0\0\0\x08\0\3" + b"\xb0\0\0\7\0\0\0\4" + b"0100"
                  + b"\xb0\1\0\4\0\0\0\1\0\0\0\2" + b"\xb0\2\0\7\0\0\0\x20\0\0\0\x32" + bytes(4) + bytes(32))
    gain = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<hdrgm:Version>1.0</hdrgm:Version>")
    put("odd-mpf-gain-map.jpg", plain[:2] + gain + mpf + plain[2:] + other, plain)
    put("odd-mpf-gain-map-apart.jpg", plain[:2] + gain + mpf + plain[2:] + bytes(77) + other, plain)
    put("odd-mpf-no-end.jpg", plain[:2] + mpf + plain[2:-2] + other, plain)
    put("odd-thumbnail.jpg", plain[:2] + app1(exif(1) + plain) + plain[2:], plain)
    put("odd-iso-gain-map.jpg", plain[:2] + segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(9)) + plain[2:], plain)
    for name, text in (("comment", segment(0xFE, b"SECRET-4711")), ("iptc", segment(0xED, b"Photoshop 3.0\x008BIMSECRET-4711")),
                       ("flir", segment(0xE1, b"FLIR\0SECRET-4711")), ("ducky", segment(0xEC, b"Ducky\0\1\0\4\0\0\0\x3c")),
                       ("empty-app", segment(0xE5, b"")), ("jps", segment(0xE3, b"_JPSJPS_SECRET-4711"))):
        put(f"odd-{name}.jpg", plain[:2] + text + plain[2:], plain)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    half = len(profile) // 2
    pieces = [segment(0xE2, b"ICC_PROFILE\0" + bytes([at, 2]) + part)
              for at, part in ((1, profile[:half]), (2, profile[half:]))]
    for name, parts in {"order": pieces[::-1], "gap": pieces[1:], "twice": pieces + pieces, "empty": [segment(0xE2, b"ICC_PROFILE\0\1\1")]}.items():
        put(f"odd-icc-{name}.jpg", plain[:2] + b"".join(parts) + plain[2:], plain)


def jpeg_structure(put):
    p = jpeg_cases.picture((40, 24), jpeg_cases.SAMPLINGS[3])
    plain = p.file([[0, 1, 2]])
    scan = plain.index(b"\xff\xda")
    whole = p.file([[0, 1, 2]], restart=2)
    first = whole.index(b"\xff\xd0")
    # A restart marker behind the last interval, as several encoders write it.
    put("odd-restart-last.jpg", whole[:-2] + b"\xff\xd2\xff\xd9", plain)
    put("odd-restart-fill.jpg", whole[:first] + b"\xff\xff" + whole[first:], plain)
    put("odd-restart-wrong.jpg", whole[:first] + b"\xff\xd3" + whole[first + 2:], "image_corrupt")
    put("odd-restart-missing.jpg", whole[:first] + whole[first + 2:], "image_corrupt")
    announced = whole.index(b"\xff\xdd")
    put("odd-restart-unannounced.jpg", whole[:announced] + whole[announced + 6:], "image_corrupt")
    put("odd-restart-none.jpg", plain[:scan] + segment(0xDD, b"\0\2") + plain[scan:], "image_corrupt")
    put("odd-restart-long.jpg", plain[:scan] + segment(0xDD, b"\xff\xff") + plain[scan:], plain)
    put("odd-start-twice.jpg", plain[:2] + plain, plain)
    put("odd-end-twice.jpg", plain + b"\xff\xd9", plain)
    put("odd-fill-everywhere.jpg", plain.replace(b"\xff\xdb", b"\xff\xff\xff\xdb").replace(b"\xff\xc0", b"\xff\xff\xc0")[:-2]
        + b"\xff\xff\xff\xd9", plain)
    # Steps of 16 bits in a file of 8, and the same number defined again between two scans.
    deep = segment(0xDB, b"\x10" + b"\0\4" * 64)
    at = plain.index(b"\xff\xdb")
    put("odd-deep-steps.jpg", plain[:at] + deep + plain[at + 69:], plain)
    other = jpeg_cases.picture((40, 24), jpeg_cases.SAMPLINGS[0], step=9)
    for name, q in (("baseline", other), ):
        parts = q.file([[0], [1], [2]])
        cut = parts.index(b"\xff\xda") + 20
        cut = parts.index(b"\xff\xc4", cut)
        again = parts[:cut] + segment(0xDB, b"\0" + bytes([2]) * 64) + parts[cut:]
        put(f"odd-steps-again-{name}.jpg", again, again)
    # The height stands behind the picture, and JPEG-LS says so in its first marker.
    frame = plain.index(b"\xff\xc0")
    late = plain[:frame + 5] + b"\0\0" + plain[frame + 7:-2] + segment(0xDC, b"\0\x18") + b"\xff\xd9"
    put("odd-number-of-lines.jpg", late, "image_variant_unsupported")
    put("odd-jpeg-ls.jpg", b"\xff\xd8" + segment(0xF7, b"\x08\0\x18\0\x28\1\1\x11\0") + segment(0xDA, b"\1\1\0\0\0\0")
        + bytes(40) + b"\xff\xd9", "image_variant_unsupported")
    for name, sampling in {"410": [(4, 2), (1, 1), (1, 1)], "440": [(1, 2), (1, 1), (1, 1)], "411": [(4, 1), (1, 1), (1, 1)]}.items():
        q = jpeg_cases.picture((37, 21), sampling)
        file = q.progressive(jpeg_cases.SPECTRAL, restart=1)
        put(f"odd-progressive-apart-{name}.jpg", file, file)
    for transform in (None, 0, 1, 2):
        header = JFIF if transform is None else adobe(transform)
        q = jpeg_cases.picture((40, 24), [(1, 1)] * 4, (1, 2, 3, 4))
        script = [([0, 1, 2, 3], (0, 0), (0, 0)), *(([c], (1, 63), (0, 0)) for c in (3, 1, 0, 2))]
        file = q.progressive(script, header)
        put(f"odd-inks-progressive-{transform}.jpg", file, file)
        ids = jpeg_cases.picture((40, 24), [(1, 1)] * 4, (67, 77, 89, 75)).file([[0, 1, 2, 3]], header)
        put(f"odd-inks-by-letters-{transform}.jpg", ids, ids)


def png_tags(put):
    size = (64, 4)
    ramp = lambda x, y, c: (x * 4 * (c + 1) + y * 30) & 255
    plain = png_cases.png(size, 2, 8, ramp)
    shown = Image.open(io.BytesIO(plain)).convert("RGBA")
    tag = lambda kind, *values: png_cases.chunk(kind, b"".join(value.to_bytes(4, "big") for value in values))
    linear, srgb = tag(b"gAMA", 100000), png_cases.chunk(b"sRGB", b"\0")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc = png_cases.chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(profile))
    scaled = lambda x, y, c: ramp(x, y, c) * 257
    light = png_cases.deep(size, 2, scaled, tone=lambda rgb: [png_cases.srgb(value) for value in rgb])
    p3 = png_cases.deep(size, 2, scaled, tone=lambda rgb: [
        png_cases.srgb(v) for v in png_cases.through(png_cases.P3, [png_cases.unsrgb(value) for value in rgb])])
    code = lambda *points: png_cases.chunk(b"cICP", bytes(points))
    damaged = png_cases.chunk(b"iCCP", b"x\0\0abc")
    junk = png_cases.chunk(b"iCCP", b"x\0\0" + zlib.compress(b"no profile at all" * 20))
    for name, before, expected, off in (
            ("icc-above-gamma", icc + linear, shown, 0), ("cicp-above-icc", code(12, 13, 0, 1) + icc + linear, p3, 1),
            ("cicp-srgb-above-gamma", code(1, 13, 0, 1) + linear, shown, 0),
            # What means nothing leaves the word to the next in order.
            ("cicp-unspecified-gamma", code(2, 2, 0, 1) + linear, light, 1),
            ("cicp-matrix-gamma", code(9, 16, 9, 1) + linear, light, 1),
            ("cicp-short-gamma", code(9, 16, 0) + linear, light, 1),
            ("cicp-unspecified-icc", code(2, 2, 0, 1) + icc + linear, shown, 0),
            ("icc-damaged-gamma", damaged + linear, light, 1), ("icc-junk-gamma", junk + linear, light, 1),
            ("icc-junk-srgb", junk + srgb, shown, 0), ("gamma-zero", tag(b"gAMA", 0), shown, 0),
            ("gamma-short", png_cases.chunk(b"gAMA", b"\1"), shown, 0),
            ("chroma-zero", tag(b"cHRM", *[0] * 8) + tag(b"gAMA", 45455), shown, 0),
            ("chroma-alone", tag(b"cHRM", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000), shown, 0)):
        put(f"odd-{name}.png", png_cases.png(size, 2, 8, ramp, before=before), expected, off)
    for orientation, prefix in ((3, b""), (6, b""), (8, b"Exif\0\0")):
        file = png_cases.png(size, 2, 8, ramp, before=png_cases.chunk(b"eXIf", prefix + exif(orientation)))
        put(f"odd-exif-{orientation}.png", file, turned(plain, orientation))
    behind = plain[:-12] + png_cases.chunk(b"eXIf", exif(6)) + plain[-12:]
    put("odd-exif-behind.png", behind, turned(plain, 6))


def png_chunks(put):
    size = (9, 7)
    chunk = png_cases.chunk
    plain = png_cases.png(size, 2, 8, png_cases.pattern(8))
    one = plain.index(b"IDAT") - 4
    length = int.from_bytes(plain[one:one + 4], "big")
    data = plain[one + 8:one + 8 + length]
    head, end = plain[:one], plain[one + 12 + length:]
    single = b"".join(chunk(b"IDAT", data[at:at + 1]) for at in range(length))
    put("odd-single-bytes.png", head + single + end, plain)
    put("odd-empty-data.png", head + chunk(b"IDAT", b"") * 3 + chunk(b"IDAT", data) + chunk(b"IDAT", b"") + end, plain)
    put("odd-no-sum.png", head + chunk(b"IDAT", data[:-4]) + end, plain)
    put("odd-wrong-sum.png", head + chunk(b"IDAT", data[:-4] + b"abcd") + end, plain)
    stored = b"\x78\1\1" + struct.pack("<HH", *(lambda n: (n, n ^ 0xFFFF))(len(zlib.decompress(data)))) + zlib.decompress(data)
    put("odd-stored.png", head + chunk(b"IDAT", stored + zlib.adler32(zlib.decompress(data)).to_bytes(4, "big")) + end, plain)
    small = zlib.compressobj(9, zlib.DEFLATED, 9)
    put("odd-small-window.png", head + chunk(b"IDAT", small.compress(zlib.decompress(data)) + small.flush()) + end, plain)
    # All rows are there; the end of the file is not.
    put("odd-no-end.png", plain[:-12], plain)
    put("odd-half-end.png", plain[:-5], plain)
    put("odd-junk-for-end.png", plain[:-12] + b"SECRET-4711" * 5, plain)
    put("odd-zeros-for-end.png", plain[:-12] + bytes(40), plain)
    put("odd-cut-text.png", plain[:-12] + chunk(b"tEXt", b"a\0SECRET-4711")[:-8], plain)
    for cut in (1, 5, 8, 20):
        put(f"odd-cut-data-{cut}.png", plain[:-12 - 4 - cut], "image_truncated")
    half = chunk(b"IDAT", data[:length // 2])
    put("odd-missing-data.png", head + half + end, "image_corrupt")
    put("odd-missing-data-no-end.png", head + half, "image_truncated")
    more = {"pHYs": struct.pack(">IIB", 2835, 2835, 1), "tIME": bytes(7), "bKGD": bytes(6), "sBIT": b"\5\6\5", "hIST": bytes(4),
            "sPLT": b"x\0\x08", "vpAg": bytes(9), "iTXt": b"a\0\0\0\0\0SECRET-4711", "zTXt": b"a\0\0" + zlib.compress(b"SECRET-4711"),
            "caBX": b"SECRET-4711", "iDOT": bytes(28), "gIFx": b"SECRET-4711", "sBIt": b""}
    for kind, body in more.items():
        put(f"odd-chunk-{kind}.png", head + chunk(kind.encode(), body) + plain[one:], plain)
    # Transparency where none belongs, and palettes that are too short or of no use.
    for colour in (4, 6):
        file = png_cases.png(size, colour, 8, png_cases.pattern(8))
        keyed = png_cases.png(size, colour, 8, png_cases.pattern(8), before=chunk(b"tRNS", b"\0\1\0\2\0\3"))
        put(f"odd-trns-{colour}.png", keyed, file)
    for colour in (0, 2, 4, 6):
        file = png_cases.png(size, colour, 8, png_cases.pattern(8))
        suggested = png_cases.png(size, colour, 8, png_cases.pattern(8), before=chunk(b"PLTE", bytes(range(30))))
        put(f"odd-palette-{colour}.png", suggested, file)
    index = lambda x, y, c: (x + y * 9) % 16
    palette = bytes((i * 7 + c * 60) & 255 for i in range(16) for c in range(3))
    file = png_cases.png(size, 3, 8, index, before=chunk(b"PLTE", palette))
    put("odd-trns-empty.png", png_cases.png(size, 3, 8, index, before=chunk(b"PLTE", palette) + chunk(b"tRNS", b"")), file)
    put("odd-trns-long.png", png_cases.png(size, 3, 8, index, before=chunk(b"PLTE", palette) + chunk(b"tRNS", bytes(20))), file)
    put("odd-trns-first.png", png_cases.png(size, 3, 8, index, before=chunk(b"tRNS", b"\0\0") + chunk(b"PLTE", palette)), file)
    grey = png_cases.png(size, 0, 8, png_cases.pattern(8))
    put("odd-trns-of-another-kind.png", png_cases.png(size, 0, 8, png_cases.pattern(8), before=chunk(b"tRNS", bytes(6))), grey)
    # What may be ignored and has a wrong checksum is ignored, as libpng does.
    broken = lambda kind, body: chunk(kind, body)[:-4] + b"abcd"
    for kind, body in ((b"tRNS", b"\0\0"), (b"gAMA", (100000).to_bytes(4, "big")), (b"sRGB", b"\0"), (b"eXIf", exif(6)), (b"tEXt", b"a")):
        put(f"odd-checksum-{kind.decode()}.png", png_cases.png(size, 3, 8, index, before=chunk(b"PLTE", palette) + broken(kind, body)), file)
    put("odd-checksum-PLTE.png", png_cases.png(size, 3, 8, index, before=broken(b"PLTE", palette)), "image_corrupt")
    short = png_cases.png(size, 3, 8, index, before=chunk(b"PLTE", palette[:30]))
    black = png_cases.png(size, 3, 8, index, before=chunk(b"PLTE", palette[:30] + bytes(18)))
    put("odd-palette-short.png", short, black)
    put("odd-palette-missing.png", png_cases.png(size, 3, 8, index), "image_corrupt")
    key = png_cases.png(size, 2, 8, png_cases.pattern(8), before=chunk(b"tRNS", b"".join(
        png_cases.pattern(8)(0, 0, c).to_bytes(2, "big") for c in range(3))))
    high = png_cases.png(size, 2, 8, png_cases.pattern(8), before=chunk(b"tRNS", b"".join(
        b"\x5a" + png_cases.pattern(8)(0, 0, c).to_bytes(1, "big") for c in range(3))))
    put("odd-trns-high-bits.png", high, key)
    # An animation whose default image is no part of it, and one whose numbers contradict each other.
    control = chunk(b"acTL", struct.pack(">II", 1, 0))
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 3, 3, 1, 1, 1, 10, 0, 0))
    hidden = plain[:-12] + frame + chunk(b"fdAT", struct.pack(">I", 1) + zlib.compress(bytes(30))) + plain[-12:]
    put("odd-apng-hidden.png", hidden[:33] + control + hidden[33:], plain)
    put("odd-apng-no-control.png", hidden, plain)
    put("odd-apng-lies.png", hidden[:33] + chunk(b"acTL", struct.pack(">II", 0, 9)) + frame + hidden[33:], plain)


def riff(*chunks):
    return webp_cases.chunk(b"RIFF", b"WEBP" + b"".join(chunks))


def vp8x(flags, size):
    width, height = size
    return webp_cases.chunk(b"VP8X", bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


def parts(file):
    """The chunks of a WebP by their kind."""
    found, at = {}, 12
    while at < len(file):
        length = int.from_bytes(file[at + 4:at + 8], "little")
        end = at + 8 + length + (length & 1)
        found.setdefault(file[at:at + 4], file[at:end])
        at = end
    return found


def webp_headers(put):
    size = (33, 17)
    clear, solid = webp_cases.picture(size, True), webp_cases.picture(size, False)
    lossy = parts(webp_cases.saved(clear, quality=80))
    picture, alpha = lossy[b"VP8 "], lossy[b"ALPH"]
    plain = webp_cases.saved(solid, quality=80)
    lossless = webp_cases.saved(clear, lossless=True)
    honest = riff(vp8x(0x10, size), alpha, picture)
    solid_chunk, lossless_chunk = plain[12:], lossless[12:]
    # Flags say what the file has not, or keep quiet about what it has.
    put("odd-alpha-unsaid.webp", riff(vp8x(0, size), alpha, picture), riff(vp8x(0, size), alpha, picture))
    put("odd-alpha-unsaid-lossless.webp", riff(vp8x(0, size), lossless_chunk), lossless)
    put("odd-alpha-said.webp", riff(vp8x(0x10, size), solid_chunk), plain)
    put("odd-all-said.webp", riff(vp8x(0x3C, size), solid_chunk), plain)
    put("odd-reserved.webp", riff(vp8x(0xD1, size), alpha, picture), honest)
    put("odd-alpha-behind.webp", riff(vp8x(0x10, size), picture, alpha), riff(vp8x(0x10, size), picture))
    put("odd-alpha-simple.webp", riff(alpha, picture), riff(picture))
    put("odd-chunk-before.webp", riff(webp_cases.chunk(b"JUNK", b"SECRET-4711"), solid_chunk), plain)
    put("odd-canvas.webp", riff(vp8x(0, (34, 17)), solid_chunk), "image_corrupt")
    put("odd-picture-twice.webp", riff(vp8x(0, size), solid_chunk, webp_cases.saved(Image.new("RGB", size, "red"))[12:]), plain)
    for orientation, flags in ((6, 8), (3, 8), (8, 0)):
        block = webp_cases.chunk(b"EXIF", (b"Exif\0\0" if orientation == 3 else b"") + exif(orientation))
        put(f"odd-exif-{orientation}.webp", riff(vp8x(flags, size), solid_chunk, block), turned(plain, orientation))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, first in (("first", True), ("behind", False)):
        icc = webp_cases.chunk(b"ICCP", profile)
        order = (icc, alpha, picture) if first else (alpha, picture, icc)
        put(f"odd-icc-{name}.webp", riff(vp8x(0x30, size), *order), honest)
    put("odd-icc-damaged.webp", riff(vp8x(0x20, size), webp_cases.chunk(b"ICCP", b"nothing"), solid_chunk), plain)
    # The length of all is wrong, and the picture is whole.
    for name, length in (("more", len(plain) + 92), ("one-more", len(plain) - 7)):
        put(f"odd-length-{name}.webp", plain[:4] + length.to_bytes(4, "little") + plain[8:], plain)
    # What is cut may have said which side is up.
    put("odd-cut-exif.webp", riff(vp8x(8, size), solid_chunk, webp_cases.chunk(b"EXIF", exif(6)))[:-9], "image_truncated")
    put("odd-cut-metadata.webp", riff(vp8x(4, size), solid_chunk, webp_cases.chunk(b"XMP ", b"SECRET-4711" * 9))[:-60], plain)
    put("odd-cut-picture.webp", plain[:-9], "image_truncated")
    for profile_number in (1, 2, 3):
        at = plain.index(b"VP8 ") + 8
        file = plain[:at] + bytes([plain[at] & 0xF1 | profile_number << 1]) + plain[at + 1:]
        put(f"odd-profile-{profile_number}.webp", file, file)


def webp_frames(put):
    size = (24, 18)
    control = webp_cases.chunk(b"ANIM", bytes([10, 200, 30, 255]) + bytes(2))

    def frame(box, picture, flags=0):
        x, y, width, height = box
        number = lambda value: value.to_bytes(3, "little")
        return webp_cases.chunk(b"ANMF", number(x // 2) + number(y // 2) + number(width - 1) + number(height - 1)
                                + number(100) + bytes([flags]) + picture)
    clear = parts(webp_cases.saved(webp_cases.picture((10, 8), True), quality=90))
    lossless = webp_cases.saved(webp_cases.picture((10, 8), True), lossless=True)[12:]
    solid = webp_cases.saved(webp_cases.picture((10, 8), False), quality=90)[12:]
    whole = webp_cases.saved(webp_cases.picture(size, False), quality=90)[12:]
    for name, flags, first in (
            ("solid", 0x02, frame((4, 6, 10, 8), solid)), ("alpha", 0x12, frame((4, 6, 10, 8), clear[b"ALPH"] + clear[b"VP8 "])),
            ("lossless", 0x12, frame((0, 0, 10, 8), lossless)), ("unblended", 0x12, frame((14, 10, 10, 8), lossless, 2)),
            ("disposed", 0x12, frame((2, 2, 10, 8), lossless, 3)), ("whole", 0x02, frame((0, 0, *size), whole)),
            ("alpha-unsaid", 0x02, frame((4, 6, 10, 8), lossless))):
        file = riff(vp8x(flags, size), control, first, frame((0, 0, *size), whole))
        put(f"odd-frame-{name}.webp", file, file)
    put("odd-animation-said.webp", riff(vp8x(0x02, size), whole), "image_corrupt")
    single = riff(vp8x(0x02, size), control, frame((0, 0, *size), whole))
    put("odd-frame-single.webp", single, single)
    put("odd-frame-beyond.webp", riff(vp8x(2, size), control, frame((20, 6, 10, 8), solid)), "image_corrupt")


def gif_screens(put):
    """Screens that are empty or smaller than their first frame grow to hold it, as in browsers."""
    indexes = [at % 4 for at in range(64)]
    one = gif_cases.frame((0, 0, 8, 8), indexes, 2)
    plain = gif_cases.gif((8, 8), 2, one + b"\x3b")
    for name, size in (("empty", (0, 0)), ("flat", (8, 0)), ("small", (5, 3))):
        put(f"odd-screen-{name}.gif", gif_cases.gif(size, 2, one + b"\x3b"), plain)
    moved = gif_cases.gif((6, 6), 2, gif_cases.frame((3, 2, 8, 8), indexes, 2) + b"\x3b")
    larger = gif_cases.gif((11, 10), 2, gif_cases.frame((3, 2, 8, 8), indexes, 2) + b"\x3b")
    canvas = Image.new("RGBA", (11, 10), (0, 0, 0, 0))
    canvas.paste(Image.open(io.BytesIO(plain)).convert("RGBA"), (3, 2))
    put("odd-frame-beyond.gif", moved, canvas)
    put("odd-frame-inside.gif", larger, canvas)
    put("odd-frame-empty.gif", gif_cases.gif((8, 8), 2, image_block(2, [4, 5], (0, 0, 0, 0)) + b"\x3b"), "image_corrupt")
    put("odd-no-table.gif", gif_cases.gif((8, 8), 2, one + b"\x3b", has_table=False), "image_corrupt")
    put("odd-no-frame.gif", gif_cases.gif((8, 8), 2, b"\x3b"), "image_corrupt")
    for background in (0, 3, 255):
        file = gif_cases.gif((11, 10), 2, gif_cases.frame((3, 2, 8, 8), indexes, 2) + b"\x3b", background=background)
        put(f"odd-background-{background}.gif", file, canvas)
    # Numbers beyond the table show nothing.
    beyond = gif_cases.frame((0, 0, 8, 8), [at % 8 for at in range(64)], 3)
    holes = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    colours = gif_cases.table(2)
    for at in range(64):
        if at % 8 < 4:
            holes.putpixel((at % 8, at // 8), (*colours[at % 8 * 3:at % 8 * 3 + 3], 255))
    put("odd-beyond-table.gif", gif_cases.gif((8, 8), 2, beyond + b"\x3b"), holes)
    put("odd-key-beyond-table.gif", gif_cases.gif((8, 8), 2, gif_cases.control(0, 200) + one + b"\x3b"), plain)
    for disposal in (3, 7):
        put(f"odd-disposal-{disposal}.gif", gif_cases.gif((8, 8), 2, gif_cases.control(disposal) + one + gif_cases.control(3)
            + gif_cases.frame((2, 2, 4, 4), indexes[:16], 2) + b"\x3b"), plain)
    # The first frame is whole; what comes then is no block.
    put("odd-junk-behind.gif", gif_cases.gif((8, 8), 2, one + b"\x99SECRET-4711"), plain)
    put("odd-junk-before.gif", gif_cases.gif((8, 8), 2, b"\x99" + one + b"\x3b"), "image_corrupt")
    text = b"\x21\x01\x0c" + struct.pack("<HHHHBBBB", 0, 0, 8, 8, 8, 8, 1, 0) + b"\x05hello\0"
    put("odd-plain-text.gif", gif_cases.gif((8, 8), 2, text + one + b"\x3b"), plain)
    put("odd-app-short.gif", gif_cases.gif((8, 8), 2, b"\x21\xff\x03abc\x02de\0" + one + b"\x3b"), plain)
    put("odd-control-long.gif", gif_cases.gif((8, 8), 2, b"\x21\xf9\x05\0\0\0\0\0\0" + one + b"\x3b"), plain)
    put("odd-control-two-parts.gif", gif_cases.gif((8, 8), 2, b"\x21\xf9\x04\0\0\0\0\x01\0\0" + one + b"\x3b"), plain)


def packed(codes, size, width=None):
    """Codes of growing width, as any encoder has them; the table of a reader grows by one with each code but the first."""
    held, count, out, bits, known = 0, 0, bytearray(), size + 1, (1 << size) + 2
    first = True
    for code in codes:
        held |= code << count
        count += width or bits
        while count >= 8:
            out.append(held & 255)
            held, count = held >> 8, count - 8
        if code == 1 << size:
            bits, known, first = size + 1, (1 << size) + 2, True
            continue
        if not first and known < 4096:
            known += 1
        first = False
        if known >= 1 << bits and bits < 12:
            bits += 1
    if count:
        out.append(held & 255)
    return bytes(out)


def compressed(indexes, size):
    """LZW whose table, once full, is never cleared."""
    clear = 1 << size
    known = {(index,): index for index in range(clear)}
    codes, run = [clear], ()
    for index in indexes:
        if (*run, index) in known:
            run = (*run, index)
            continue
        codes.append(known[run])
        if len(known) + 2 < 4096:
            known[(*run, index)] = len(known) + 2
        run = (index,)
    return codes + [known[run], clear + 1]


def image_block(size, codes, box, behind=b"", step=255):
    data = packed(codes, size) + behind
    blocks = b"".join(bytes([len(data[at:at + step])]) + data[at:at + step] for at in range(0, len(data), step))
    return b"\x2c" + struct.pack("<HHHHB", *box, 0) + bytes([size]) + blocks + b"\0"


def gif_codes(put):
    box = (0, 0, 120, 120)
    indexes = [(at * at * 2654435761 + at * 40503 >> 9 ^ at >> 3) & 15 for at in range(120 * 120)]
    plain = gif_cases.gif((120, 120), 4, gif_cases.frame(box, indexes, 4) + b"\x3b")
    codes = compressed(indexes, 4)
    assert len(codes) > 4200
    for name, body in {
            "full-table": image_block(4, codes, box), "no-end-code": image_block(4, codes[:-1], box),
            "behind-end-code": image_block(4, codes, box, b"SECRET-4711" * 40), "single-bytes": image_block(4, codes, box, step=1),
            "no-first-clear": image_block(4, codes[1:], box),
            "clears": image_block(4, [code for at in range(0, 14400, 120) for code in compressed(indexes[at:at + 120], 4)[:-1]] + [17], box),
            "more-pixels": image_block(4, compressed(indexes + indexes[:500], 4), box)}.items():
        put(f"odd-lzw-{name}.gif", gif_cases.gif((120, 120), 4, body + b"\x3b"), plain)
    wide = gif_cases.gif((120, 120), 4, image_block(8, compressed(indexes, 8), box) + b"\x3b")
    put("odd-lzw-wide.gif", wide, plain)
    put("odd-lzw-missing.gif", gif_cases.gif((120, 120), 4, image_block(4, compressed(indexes[:13000], 4), box) + b"\x3b"), "image_corrupt")
    put("odd-lzw-none.gif", gif_cases.gif((120, 120), 4, image_block(4, [16, 17], box) + b"\x3b"), "image_corrupt")
    put("odd-lzw-impossible.gif", gif_cases.gif((120, 120), 4, image_block(4, [16, 3, 30, 17], box) + b"\x3b"), "image_corrupt")
