"""The store's file, read a second time: plain Python, written from SPEC.md ("Store") alone."""

import json
import struct
import zlib

import numpy as np

TAGS = ("BLKS", "META", "COLS", "WORD", "MODL", "INDX")
ALL = 2**64 - 1


def signed(x):
    return x - 2**64 if x >> 63 else x


def unzigzag(x):
    return (x >> 1) ^ (ALL if x & 1 else 0)


class Numbers:
    """LEB128, one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def __call__(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def whole(self):
        return signed(unzigzag(self()))


def read_context(number):
    kind = number()
    refs = [(number(), number()) for _ in range((0, 1, 0, 3)[kind])]
    limits, last = [], 0
    for _ in range(number() if kind else 0):
        last += number()
        limits.append(last)
    return kind, refs, limits


def read_model(number):
    m = {"mode": number()}
    if m["mode"] == 0:
        return m
    count, m["shift"], m["bias"] = number(), number(), number.whole()
    m["taps"] = [((number(), number()), number.whole()) for _ in range(count)]
    m["context"] = read_context(number)
    m["tokens"], end = [], 0
    for _ in range(number()):
        base = end + number()
        bits = number()
        m["tokens"].append((base, bits))
        end = base + 2**bits
    tables = number()
    m["map"] = [number() for _ in range(len(m["context"][2]) + 1)]
    m["tables"] = [[number() for _ in range(len(m["tokens"]) + 1)] for _ in range(tables)]
    return m


def read_models(data):
    number = Numbers(data)
    planes, models = number(), number()
    of = [(number(), number()) for _ in range(planes)]
    made = [read_model(number) for _ in range(models)]
    assert number.at == len(data)
    return [(made[m], skip) for m, skip in of]


class Block:
    """Four range coders and, behind them, bits."""

    def __init__(self, data):
        words, *self.state = struct.unpack_from("<5I", data)
        self.words = list(struct.unpack_from(f"<{words}H", data, 20))
        self.bits = int.from_bytes(data[20 + 2 * words :], "little")

    def take(self, count):
        x = self.bits & (2**count - 1)
        self.bits >>= count
        return x

    def code(self, turn, model, reached):
        table = model["tables"][model["map"][reached]]
        x = self.state[turn % 4]
        slot, first, token = x % 1024, 0, 0
        while slot >= first + table[token]:
            first += table[token]
            token += 1
        share = table[token]
        x = share * (x // 1024) + slot - first
        if x < 2**16:
            x = x * 2**16 + self.words.pop(0)
        self.state[turn % 4] = x
        if token == len(model["tokens"]):
            return self.take(64)
        base, bits = model["tokens"][token]
        return base + self.take(bits)


def decode_planes(models, data, rows):
    """(planes, rows) of Python integers."""
    block, planes = Block(data), []

    def number(p, i, ref):
        row, back = ref
        return planes[p - back][i - row] if p >= back and i >= row else 0

    def quantity(context, model, p, i, guess):
        kind, refs, _ = context
        if kind == 1:
            return number(p, i, refs[0])
        if kind == 2:
            return max(0, signed(guess))
        a, b, c = (number(p, i, ref) for ref in refs)
        far = [min((u - v) & ALL, (v - u) & ALL) for u, v in ((a, b), (b, c))]
        return sum(far) & ALL

    for p, (model, skip) in enumerate(models):
        planes.append([])
        turn = 0
        if model["mode"] == 0:
            planes[p] = [0] * rows
            continue
        if block.take(1):
            planes[p] = [block.take(block.take(6) + 1)] * rows
            continue
        for i in range(rows):
            if skip and planes[skip - 1][i]:
                planes[p].append(planes[p][-1] if i else 0)
                continue
            total = model["bias"] + sum(number(p, i, ref) * w for ref, w in model["taps"])
            guess = (signed(total & ALL) >> model["shift"]) & ALL
            reached, limits = 0, model["context"][2]
            if limits:
                q = quantity(model["context"], model, p, i, guess)
                reached = sum(limit <= q for limit in limits)
            code = block.code(turn, model, reached)
            turn += 1
            value = code if model["mode"] == 1 else guess + unzigzag(code)
            planes[p].append(value & ALL)
    assert block.state == [2**16] * 4 and not block.words and not block.bits
    return planes


def order_to_bits(x, size):
    top = 1 << (8 * size - 1)
    return x ^ top if x & top else ~x & (2 * top - 1)


def value_bits(column, words, x):
    kind, size = column["kind"], int(column["size"])
    if kind == 3:
        x = words[int(column["start"]) + x]
        return order_to_bits(x, size) if column["sign"] == 2 else x % 2 ** (8 * size)
    x = (x + int(column["low"])) & ALL
    if kind == 1:
        return order_to_bits(x, size)
    if kind == 2:
        number = np.float64(signed(x)) / 10.0 ** int(column["decimals"])
        dtype = np.float32 if size == 4 else np.float64
        return int(number.astype(dtype).view(f"u{size}"))
    return x % 2 ** (8 * size)


COLUMN = "kind size decimals sign width masked"


def read_columns(data):
    made = []
    for at in range(0, len(data), 48):
        column = dict(zip(COLUMN.split(), data[at : at + 6], strict=True))
        names = ("part", "offset", "low", "missing", "start", "count")
        column |= dict(zip(names, struct.unpack_from("<H5Q", data, at + 6), strict=True))
        made.append(column)
    return made


def inflate(data):
    raw = zlib.decompress(data[4:])
    assert len(raw) == int.from_bytes(data[:4], "little")
    return raw


def sections(data):
    magic, version, count, zero, directory, size = struct.unpack_from("<8sHHIQQ", data)
    assert magic == b"\x89TDS\r\n\x1a\n" and (version, count, zero, size) == (2, 6, 0, len(data))
    assert zlib.crc32(data[:32]) == int.from_bytes(data[32:36], "little")
    assert zlib.crc32(data[directory:-4]) == int.from_bytes(data[-4:], "little")
    found = {}
    for k, name in enumerate(TAGS):
        tag, crc, at, length = struct.unpack_from("<4sIQQ", data, directory + 24 * k)
        assert tag.decode() == name
        found[name] = data[at : at + length]
        assert crc == (0 if name == "BLKS" else zlib.crc32(found[name]))
    return found


def read_words(data):
    if not data:
        return []
    count, size = struct.unpack_from("<2I", data)
    return decode_planes(read_models(data[8 : 8 + size]), data[8 + size :], count)[0]


def read_store(data):
    """Each part's bytes, row after row, and what META says."""
    found = sections(data)
    meta = json.loads(found["META"])
    if not meta["rows"]:
        return [b"" for _ in meta["parts"]], meta
    columns, words = read_columns(inflate(found["COLS"])), read_words(found["WORD"])
    models = read_models(inflate(found["MODL"]))
    widths = [
        int(np.prod(p["shape"])) * (4 if p["texts"] is not None else np.dtype(p["dtype"]).itemsize)
        for p in meta["parts"]
    ]
    parts = [bytearray(width * meta["rows"]) for width in widths]
    at = 0
    for k, start in enumerate(range(0, meta["rows"], meta["step"])):
        size, crc = struct.unpack_from("<2I", found["INDX"], 8 * k)
        block = found["BLKS"][at : at + size]
        at += size
        assert zlib.crc32(block) == crc
        rows = min(meta["step"], meta["rows"] - start)
        exceptions = int.from_bytes(block[:4], "little")
        planes = decode_planes(models, block[4 + 16 * exceptions :], rows)
        told = [struct.unpack_from("<2IQ", block, 4 + 16 * e) for e in range(exceptions)]
        patches = {(plane, row): bits for plane, row, bits in told}
        for masks in (False, True):
            for p, column in enumerate(columns):
                if (column["kind"] == 4) != masks:
                    continue
                size, width = column["size"], widths[column["part"]]
                for i, x in enumerate(planes[p]):
                    bits = column["low"] if masks else value_bits(column, words, x)
                    bits = patches.get((p, i), bits)
                    if masks and not x:
                        continue
                    to = (start + i) * width + column["offset"]
                    parts[column["part"]][to : to + size] = bits.to_bytes(8, "little")[:size]
    return [bytes(part) for part in parts], meta
