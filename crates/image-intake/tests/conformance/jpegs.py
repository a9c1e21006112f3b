"""JPEG files by a byte writer of its own: any sampling, any order of scans, any header.

Sequential and progressive Huffman coding with the typical tables of ITU-T T.81 Annex K. It writes
what the standard allows, also where the usual encoders never would; it judges nothing.
"""

import math

ZIGZAG = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14,
          21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53,
          60, 61, 54, 47, 55, 62, 63]

# Annex K.3: counts of codes of each length, then the symbols.
DC = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]), bytes(range(12))
AC = bytes([0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D]), bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a"
    "434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9"
    "aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa")
# Annex K lacks the symbols of runs of ends of bands and of most runs in refinements, so the progressive coder has a
# table with a code for every symbol.
FLAT = bytes([0] * 7 + [255] + [1] + [0] * 7), bytes(range(256))

COSINES = [[math.cos((2 * x + 1) * u * math.pi / 16) * (math.sqrt(0.125) if u == 0 else 0.5) for x in range(8)]
           for u in range(8)]


def codes(table):
    """Symbol to (code, length)."""
    counts, symbols = table
    found, code, at = {}, 0, 0
    for length, count in enumerate(counts, 1):
        for symbol in symbols[at:at + count]:
            found[symbol] = (code, length)
            code += 1
        at += count
        code <<= 1
    return found


DC_CODES, AC_CODES, FLAT_CODES = codes(DC), codes(AC), codes(FLAT)


def transformed(block):
    rows = [[sum(row[x] * basis[x] for x in range(8)) for basis in COSINES] for row in block]
    return [sum(rows[y][u] * COSINES[v][y] for y in range(8)) for v in range(8) for u in range(8)]


def segment(marker, body):
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform, more=b""):
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]) + more)


class Bits:
    def __init__(self):
        self.data, self.held, self.count = bytearray(), 0, 0

    def put(self, value, length):
        self.held = self.held << length | value & (1 << length) - 1
        self.count += length
        while self.count >= 8:
            byte = self.held >> self.count - 8 & 255
            self.data.append(byte)
            if byte == 255:
                self.data.append(0)
            self.count -= 8
        self.held &= (1 << self.count) - 1

    def put_number(self, value):
        size = abs(value).bit_length()
        self.put(value if value > 0 else value + (1 << size) - 1, size)

    def flush(self):
        if self.count:
            self.put((1 << 8 - self.count) - 1, 8 - self.count)


class Component:
    """One plane: `sample(x, y)` in the full picture's pixels gives 0 to 255."""

    def __init__(self, ident, across, down, sample, table=0):
        self.ident, self.across, self.down, self.sample, self.table = ident, across, down, sample, table


class Picture:
    """Quantised coefficients of all components, and the ways to write them."""

    def __init__(self, width, height, components, step=4):
        self.width, self.height, self.components, self.step = width, height, components, step
        self.across = max(c.across for c in components)
        self.down = max(c.down for c in components)
        self.mcus_across = -(-width // (8 * self.across))
        self.mcus_down = -(-height // (8 * self.down))
        self.blocks = [self.plane(c) for c in components]

    def plane(self, c):
        sx, sy = self.across / c.across, self.down / c.down

        def at(x, y):
            full_x = min(self.width - 1, (x + 0.5) * sx - 0.5)
            full_y = min(self.height - 1, (y + 0.5) * sy - 0.5)
            return c.sample(full_x, full_y) - 128

        grid = []
        for row in range(self.mcus_down * c.down):
            grid.append([[round(value / self.step) for value in transformed(
                [[at(8 * column + x, 8 * row + y) for x in range(8)] for y in range(8)])]
                for column in range(self.mcus_across * c.across)])
        return grid

    def own_size(self, index):
        """Blocks across and down in a scan of this component alone (A.2.2)."""
        c = self.components[index]
        return (-(-math.ceil(self.width * c.across / self.across) // 8),
                -(-math.ceil(self.height * c.down / self.down) // 8))

    def units(self, indexes):
        """The MCUs of a scan: lists of (component, coefficients in zigzag order)."""
        def zigzagged(index, row, column):
            block = self.blocks[index][row][column]
            return index, [block[place] for place in ZIGZAG]
        if len(indexes) == 1:
            across, down = self.own_size(indexes[0])
            for row in range(down):
                for column in range(across):
                    yield [zigzagged(indexes[0], row, column)]
            return
        for mcu_row in range(self.mcus_down):
            for mcu_column in range(self.mcus_across):
                yield [zigzagged(index, mcu_row * self.components[index].down + y,
                                 mcu_column * self.components[index].across + x)
                       for index in indexes
                       for y in range(self.components[index].down) for x in range(self.components[index].across)]

    def quantisation(self, ident=0):
        return segment(0xDB, bytes([ident]) + bytes([self.step]) * 64)

    def frame(self, marker=0xC0, bits=8):
        body = bytes([bits]) + self.height.to_bytes(2, "big") + self.width.to_bytes(2, "big")
        body += bytes([len(self.components)])
        for c in self.components:
            body += bytes([c.ident, c.across << 4 | c.down, c.table])
        return segment(marker, body)

    def scan(self, indexes, restart=0, band=(0, 63), bits=(0, 0), tables=True, flat=False, stuffing=b""):
        """One scan with its header, and its tables before it unless they stand elsewhere."""
        progressive = band != (0, 63) or bits != (0, 0)
        head = b""
        if tables:
            ac = FLAT if flat or progressive else AC
            head += segment(0xC4, b"\0" + DC[0] + DC[1] + b"\x10" + ac[0] + ac[1])
        body = bytes([len(indexes)]) + b"".join(bytes([self.components[i].ident, 0]) for i in indexes)
        head += segment(0xDA, body + bytes([band[0], band[1], bits[0] << 4 | bits[1]]))
        ac_codes = FLAT_CODES if flat or progressive else AC_CODES
        out, last, data = Bits(), {}, bytearray()
        for number, unit in enumerate(self.units(indexes)):
            if restart and number and number % restart == 0:
                out.flush()
                data += out.data + bytes([0xFF, 0xD0 + (number // restart - 1) % 8])
                out, last = Bits(), {}
            for index, block in unit:
                if not progressive:
                    put_sequential(out, index, block, last, ac_codes)
                elif band[0] == 0:
                    put_mean(out, index, block, last, bits)
                elif bits[0] == 0:
                    put_band(out, block, band, bits[1], ac_codes)
                else:
                    put_refinement(out, block, band, bits[1], ac_codes)
        out.flush()
        return head + bytes(data + out.data) + stuffing

    def file(self, scans, header=JFIF, restart=0, marker=0xC0, end=b"\xff\xd9", typical_once=False, **more):
        """`scans`: lists of component indexes."""
        body = b"\xff\xd8" + header + self.quantisation() + self.frame(marker)
        if restart:
            body += segment(0xDD, restart.to_bytes(2, "big"))
        for number, indexes in enumerate(scans):
            body += self.scan(indexes, restart, tables=number == 0 or not typical_once, **more)
        return body + end

    def progressive(self, script, header=JFIF, restart=0, end=b"\xff\xd9", empty_tables=False):
        """`script`: (component indexes, (first, last), (high, low)) for each scan. A refinement of means needs no table;
        with `empty_tables` it gets one without a code."""
        body = b"\xff\xd8" + header + self.quantisation() + self.frame(0xC2)
        if restart:
            body += segment(0xDD, restart.to_bytes(2, "big"))
        for indexes, band, bits in script:
            bare = empty_tables and band[0] == 0 and bits[0] > 0
            if bare:
                body += segment(0xC4, bytes(17))
            body += self.scan(indexes, restart, band, bits, tables=not bare, flat=True)
        return body + end


def put_sequential(out, index, block, last, ac_codes):
    difference = block[0] - last.get(index, 0)
    last[index] = block[0]
    out.put(*DC_CODES[abs(difference).bit_length()])
    out.put_number(difference)
    run = 0
    for value in block[1:]:
        if value == 0:
            run += 1
            continue
        while run > 15:
            out.put(*ac_codes[0xF0])
            run -= 16
        out.put(*ac_codes[run << 4 | abs(value).bit_length()])
        out.put_number(value)
        run = 0
    if run:
        out.put(*ac_codes[0])


def put_mean(out, index, block, last, bits):
    high, low = bits
    if high:
        out.put(block[0] >> low & 1, 1)
        return
    value = block[0] >> low
    difference = value - last.get(index, 0)
    last[index] = value
    out.put(*DC_CODES[abs(difference).bit_length()])
    out.put_number(difference)


def shifted(value, low):
    return (abs(value) >> low) * (1 if value > 0 else -1)


def put_band(out, block, band, low, ac_codes):
    run = 0
    for value in block[band[0]:band[1] + 1]:
        value = shifted(value, low)
        if value == 0:
            run += 1
            continue
        while run > 15:
            out.put(*ac_codes[0xF0])
            run -= 16
        out.put(*ac_codes[run << 4 | abs(value).bit_length()])
        out.put_number(value)
        run = 0
    if run:
        out.put(*ac_codes[0])


def put_refinement(out, block, band, low, ac_codes):
    sizes = [abs(value) >> low for value in block]
    fresh = [k for k in range(band[0], band[1] + 1) if sizes[k] == 1]
    end = fresh[-1] if fresh else -1
    run, corrections = 0, []

    def correct():
        for bit in corrections:
            out.put(bit, 1)
        corrections.clear()

    for k in range(band[0], band[1] + 1):
        if sizes[k] == 0:
            run += 1
            continue
        while run > 15 and k <= end:
            out.put(*ac_codes[0xF0])
            correct()
            run -= 16
        if sizes[k] > 1:
            corrections.append(sizes[k] & 1)
            continue
        out.put(*ac_codes[run << 4 | 1])
        out.put(1 if block[k] > 0 else 0, 1)
        correct()
        run = 0
    if run or corrections:
        out.put(*ac_codes[0])
        correct()
