# fmt: off
"""Get a model's files out of an otium archive with nothing but Python 3.8 or later.

    python3 recover.py ARCHIVE --list             what is kept here
    python3 recover.py ARCHIVE MODEL OUTDIR       restore one model's files into a new directory

What is damaged is named (and left as PATH.partial, with zeros where pieces lack), all else is
restored, and the exit status is 1. SPEC.md defines all that is read here.
"""
import hashlib, json, lzma, math, struct, sys, zlib
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate, chain, islice, product
from pathlib import Path

CHUNK, LONGEST_PIECE, DEEPEST, MOST_BASES = 1 << 19, 1 << 28, 3, 4
TYPES = {1: ("H", 2, 7), 2: ("H", 2, 10), 3: ("I", 4, 23), 4: ("B", 1, 3), 5: ("B", 1, 2)}
BUCKETS = [(n, 0) for n in range(8)] + [(2 + n % 2 << n // 2 + 2, n // 2 + 2) for n in range(121)]
VALUES = [BUCKETS[(s + 1) >> 1][0] * (1 if s & 1 else -1) for s in range(256)]
K0, K6 = (1, 0, 0, [], [0], []), (8, 0, -128, [(0, 16, 192, 16, 8, 0, 0)], [*range(16)], [])
K2 = (4, 0, 0, [(0, 32, 0, 1, 4, 0, 0)], [*range(0, 32, 2)], [*range(1, 32, 2)])
K3 = (6, 32, -32, [(0, 16, 96, 8, 4, 0, 0), (0, 16, 104, 4, 2, 0, 4)], [*range(16)], [])
K4 = (6, 0, 0, [(0, 8, 4, 8, 4, 0, 0), (8, 8, 12, 4, 4, 0, 0), (0, 16, 4, 8, 2, 4, 4)],
      [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15])
KINDS = {  # SPEC.md, "Blocks": bytes, bits, zero, extreme, d, dmin, planes, small integers
    2: (18, 4, 8, -8, 0, 0, [(2, 16, 4, 0)], K0), 3: (20, 4, 0, 0, 0, 2, [(4, 16, 4, 0)], K0),
    6: (22, 5, 16, -16, 0, 0, [(6, 16, 4, 0), (2, 1, 1, 4)], K0),
    7: (24, 5, 0, 0, 0, 2, [(8, 16, 4, 0), (4, 1, 1, 4)], K0),
    8: (34, 8, 0, 127, 0, 0, [(2, 32, 8, 0)], K0), 10: (84, 2, 0, 0, 80, 82, [(16, 32, 2, 0)], K2),
    11: (110, 3, 4, -4, 108, 0, [(32, 32, 2, 0), (0, 32, 1, 2)], K3),
    12: (144, 4, 0, 0, 0, 2, [(16, 32, 4, 0)], K4),
    13: (176, 5, 0, 0, 0, 2, [(48, 32, 4, 0), (16, 32, 1, 4)], K4),
    14: (210, 6, 32, -32, 208, 0, [(0, 64, 4, 0), (128, 32, 2, 4)], K6)}

def warn(problem):  # Say what is wrong; return the exit status 1.
    print(problem, file=sys.stderr); return 1
def inside(root, path):  # Return a path that stays below a directory.
    if not {"", ".", ".."} & {*path.split("/")} and not {*"\\:\0"} & {*path}: return root / path
    raise ValueError(f"the path {path!r} is not safe")
def read(root, path, sha):  # Return the bytes of a file that has a SHA-256 or SHA-512.
    data = inside(root, path).read_bytes()
    if sha in (hashlib.sha256(data).hexdigest(), hashlib.sha512(data).hexdigest()): return data
    raise ValueError(f"{root / path} is damaged")
def main(arguments):  # Run the command line; return the exit status.
    if len(arguments) != 3 and arguments[1:] != ["--list"]: return warn(__doc__) + 1
    archive, model, *out = Path(arguments[0]), *arguments[1:]
    sha = hashlib.sha256(model.encode()).hexdigest()
    place = f"{sha[:3]}/{sha[3:6]}/{sha[6:9]}" if out else "???/???/???"
    if out and Path(out[0]).exists(): return warn(f"{out[0]} is there already")
    done = [restore(archive, folder, *out) for folder in sorted(archive.glob(f"models/{place}/*"))]
    return max(done) if done else warn(f"{archive} holds no model {model!r}")
def inventory(folder):  # Return an object's id, and content path and SHA-512 of its records.
    sides = [side.read_bytes()[:128] for side in folder.glob("**/inventory.json.sha512")]
    versions = sorted(folder.glob("v*/inventory.json"), key=lambda path: (len(str(path)), path))
    for path in [*reversed(versions), folder / "inventory.json"]:
        with suppress(Exception):
            data = path.read_bytes()
            it = json.loads(data if hashlib.sha512(data).hexdigest().encode() in sides else "")
            state, of = it["versions"][it["head"]]["state"], it["manifest"]
            records = {name: (of[sha][0], sha) for sha in state for name in state[sha]}
            return it["id"], {k: v for k, v in records.items() if not k.startswith("unfinished/")}
        warn(f"{path} is damaged; an older copy is tried")
    return folder, {"inventory.json": ("inventory.json", "none of its copies is whole")}
def restore(archive, folder, out=None):  # Restore a model's files, or only say what is kept.
    (model, records), files, size, lost = inventory(folder), [], 0, 0
    for path, (content, sha) in sorted(records.items()):
        try:
            data = read(folder, content, sha)
            manifest = json.loads(data) if path == "manifest.json" else {"files": files}
            size, files = sum(file["size"] for file in manifest["files"]), manifest["files"]
        except Exception as problem: lost += warn(f"record {path}: {problem}")
    for file in files if out else ():
        try: print(restore_file(archive, file, inside(Path(out), file["path"] + ".partial")))
        except Exception as problem: lost += warn(f"{file.get('path')}: {problem}")
    print(f"{model}: {len(files)} files, {size} bytes; {len(records)} records; {lost} damaged")
    return min(lost, 1)
def restore_file(archive, file, part):  # Write one file; raise ValueError if it is not whole.
    recipe, whole, problems = recipe_of(archive, file["recipe"]), hashlib.sha256(), []
    sizes = [recipe["pieces"][number]["size"] for number in recipe["order"]]
    if sum(sizes) != file["size"]: raise ValueError("its recipe is another file's")
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("xb") as out:
        for number, size in zip(recipe["order"], sizes):
            try: data = piece(archive, file["recipe"], number)
            except Exception as problem:
                problems, data = [*problems, str(problem)], bytes(min(size, LONGEST_PIECE))
            whole.update(data); out.write(data)
    if whole.hexdigest() != file["sha256"]: raise ValueError("; ".join(problems) or "other bytes")
    part.replace(str(part)[:-len(".partial")]); return f"{file['sha256']}  {file['path']}"
@lru_cache(maxsize=2)
def recipe_of(archive, sha): return json.loads(read(archive, f"recipes/{sha[:2]}/{sha}.json", sha))
@lru_cache(maxsize=4)
def piece(archive, recipe, number, depth=0):  # Return the bytes of a piece, decoded and checked.
    it = recipe_of(archive, recipe)["pieces"][number]
    if depth > DEEPEST or len(it["bases"]) > MOST_BASES: raise ValueError("bases without end")
    if not 0 <= it["stored"] <= it["size"] <= LONGEST_PIECE: raise ValueError("an absurd size")
    bases = [piece(archive, recipe, base, depth + 1) for base in it["bases"]]
    try:
        with inside(archive, f"packs/{it['pack'][:2]}/{it['pack']}.pack").open("rb") as pack:
            pack.seek(it["offset"])
            data = CODECS[it["codec"]](Stored(pack.read(it["stored"]), bases, it["size"]))
        if hashlib.sha256(data).hexdigest() == it["sha256"]: return data
        raise ValueError("other bytes")
    except Exception as problem:
        raise ValueError(f"pack {it['pack']} at byte {it['offset']}: {problem!r}") from None
def shifted(data, kind):  # Return BF16 as F32, or F32 as BF16: to nearest, ties to even, by bits.
    bits = struct.unpack(f"<{len(data) // TYPES[kind][1]}{TYPES[kind][0]}", data)
    if kind == 1: return struct.pack(f"<{len(bits)}I", *[b << 16 for b in bits])
    return struct.pack(f"<{len(bits)}H", *[b + 0x7FFF + (b >> 16 & 1) >> 16 & 0xFFFF for b in bits])
def floats(data, kind):  # Return BF16, F16 or F32 as Python's floats.
    n = len(data) // TYPES[kind][1]
    return struct.unpack(f"<{n}{'_fef'[kind]}", shifted(data, kind) if kind == 1 else data)
def packed(values, kind):  # Return floats as BF16, F16 or F32: to nearest, ties to even, one NaN.
    end, n = 65520 if kind == 2 else 2.0**128 - 2.0**103, len(values)
    values = [v if abs(v) < end else v * math.inf if v == v else math.nan for v in values]
    data = struct.pack(f"<{n}{'_fef'[kind]}", *values)
    return shifted(data, 3) if kind == 1 else data
def finite(values): return [v if abs(v) < math.inf else 0.0 for v in values]
def rounded(exact, away):  # Return the nearest integers, and the sixteenths around them.
    whole = [int(v + (0.5 if v >= 0 else -0.5)) if away else round(v) for v in exact]
    return whole, [min(int((v - n) * 16 + 8), 15) for v, n in zip(exact, whole)]
def with_raw(symbols, split, bits):  # Return what symbols and the raw bits behind them make.
    if split < 255:
        groups = [int.from_bytes(bits[i:i + split], "little") for i in range(0, len(bits), split)]
        shifts, top = range(0, 8 * split, split), (1 << split) - 1
        fields = [group >> shift & top for group in groups for shift in shifts]
        return [symbol << split | field for symbol, field in zip(symbols, fields)]
    values, held, have = [VALUES[s] for s in symbols], 0, 0
    words = iter(struct.unpack(f"<{len(bits) // 4 + 1}I", bits + bytes(4 - len(bits) % 4)))
    for i, symbol in [pair for pair in enumerate(symbols) if pair[1] > 14]:
        size, width = BUCKETS[(symbol + 1) >> 1]
        while have < width: held, have = held | next(words) << have, have + 32
        size, held, have = size + (held & ((1 << width) - 1)), held >> width, have - width
        values[i] = size if symbol & 1 else -size
    return values

class Stored:  # A piece as it is stored, read from its front; its bases; its size when decoded.
    def __init__(self, data, bases, size):
        self.data, self.bases, self.size, self.at = data, bases, size, 0
    def unpack(self, form):  # Return the next numbers.
        self.at, at = self.at + struct.calcsize("<" + form), self.at
        return struct.unpack_from("<" + form, self.data, at)
    def take(self, count): return self.unpack(f"{count}s")[0]
    def octets(self, count):  # Return the next coded bytes.
        form = self.take(1)[0]
        if form == 2: return bytes(self.integers(bytes(count)))
        return self.take(count) if form else self.take(1) * count
    def integers(self, contexts): return chain.from_iterable(self.chunks(contexts))
    def chunks(self, contexts):  # Yield the next coded integers, chunk by chunk.
        count, split, log, size = self.unpack("IBBH")
        if count != len(contexts) or log > 6: raise ValueError("another number of integers")
        plain = zlib.decompressobj(-15).decompress(self.take(size + size % 2), 1 << 17)
        at, tables, lanes = plain[0] + 3, [], 1 << log
        clusters = contexts.translate(plain[2:at].ljust(256, b"\0"))
        for _ in range(plain[1] + 1):
            codes, at = plain[at + 1:at + 2 + plain[at]], at + 2 + plain[at]
            shares = [c if c < 8 else (8 + c % 8) << (c // 8 - 1) for c in codes]
            shares[codes.index(255)] += 4096 - sum(shares)
            if min(shares) < 0: raise ValueError("frequencies exceed their sum")
            tables.append([(s, many, k) for s, many in enumerate(shares) for k in range(many)])
        sizes = self.unpack(f"{-(-count // CHUNK) * 2}I")
        for start, words, bits in zip(range(0, count, CHUNK), sizes[::2], sizes[1::2]):
            states, symbols = self.unpack(f"{lanes}I"), bytearray()
            word = iter(self.unpack(f"{words}H")).__next__
            for i in range(start, min(start + CHUNK, count), lanes):
                slots = [tables[c][x & 4095] for c, x in zip(clusters[i:i + lanes], states)]
                symbols += bytes([symbol for symbol, _, _ in slots])
                states = [y if (y := many * (x >> 12) + k) > 65535 else y << 16 | word()
                          for (_, many, k), x in zip(slots, states)]
            yield with_raw(symbols, split, self.take(bits)) if split else symbols
    def residuals(self, guess, contexts, bits):  # Return what the next residuals make of guesses.
        (count,), where = self.unpack("I"), range(len(guess))
        if count < 0xFFFFFFFF:
            where = [n - 1 for n in accumulate(self.integers(bytes(count)) if count else ())]
        found = self.integers(bytes([contexts[i] for i in where])) if count else ()
        for i, more in zip(where, found): guess[i] = (guess[i] + more) & ((1 << bits) - 1)
        return guess
    def predicted(self, row, target=0):  # Return what the next prediction makes of the bases.
        how, kind, heads = self.unpack("BB2xI")
        data, size = self.bases[0], row * TYPES[kind][1]
        if heads:
            half = len(data) // size // heads // 2
            order = product(range(len(data) // size // half // 2), range(half), (0, 1))
            starts = [((2 * h + j) * half + i) * size for h, i, j in order]
            data = b"".join([data[start:start + size] for start in starts])
        if how == 1 and kind == target: return data
        if how == 1 and {kind, target} == {1, 3}: return shifted(data, kind)
        values = floats(data, kind)
        if how == 2:
            down, up, rank, first, scale = self.unpack("BBHI4xd")
            a, b, base, values = floats(self.bases[1], down), floats(self.bases[2], up), values, []
            for r in range(len(base) // row):
                update = [0.0] * row
                for k, by in enumerate(b[(first + r) * rank:(first + r + 1) * rank]):
                    update = [u + by * scale * v for u, v in zip(update, a[k * row:(k + 1) * row])]
                values += [w + u for w, u in zip(base[r * row:(r + 1) * row], update)]
            values = floats(packed(values, 3), 3)
        return packed(values, target) if target else finite(values)
    def weights(self, delta):  # Return a piece of codec "delta", or of "float" and "exponent".
        kind, low, based, zeros, row, origin = self.unpack("BBBBIi")
        letter, width, mantissa = TYPES[kind]
        sign, kept, count, out = 1 << (8 * width - 1), max(low - zeros, 0), self.size // width, []
        first, length = (0, 0) if delta else self.unpack("HH")
        bitmap = int.from_bytes(self.take(length), "little")
        tops = [first + i for i in range(8 * length) if bitmap >> i & 1]
        high = [top << low | flip for top in tops for flip in (0, sign)]
        if based: high = [top >> 1 << low | (top & 1) * sign for top in tops]
        base = self.predicted(row, kind) if based or delta else bytes(self.size)
        def context(level, exponent):
            if delta: return min(max(level + origin - 2 * max(exponent, 1), 0), 63)
            return level << 5 | min(max(exponent - origin, 0), 31) if based else level
        long = max(row, 1) * -(-128 // max(row, 1))
        long = count if count % long else long
        levels, most, low = self.octets(count // long), sign - 1, (1 << kept) - 1
        near = (int.from_bytes(base, "little") >> mantissa).to_bytes(len(base), "little")[::width]
        of = {k: bytes([context(k, e & most >> mantissa) for e in range(256)]) for k in {*levels}}
        values = self.integers(b"".join([near[r * long:(r + 1) * long].translate(of[level])
                                         for r, level in enumerate(levels) if level or not delta]))
        for r, level in enumerate(levels):
            new = old = struct.unpack_from(f"<{long}{letter}", base, r * long * width)
            some = zip(old, islice(values, long if level or not delta else 0))
            if not delta: new = [(high[v >> kept] | (v & low) << zeros) ^ b & sign for b, v in some]
            elif level:  # a step is counted as if the sign were another digit
                new = [to if 0 <= (to := b + step) ^ b < sign else
                       ((to := (b & most) + step & most + sign) ^ most * (to >= sign)) ^ b & sign
                       for b, step in some]
            out.append(struct.pack(f"<{long}{letter}", *new))
        return b"".join(out)
    def halves(self, ideal):  # Return 16-bit floats: bits, values, values if not guessed exactly.
        form, inside = f"<{len(ideal)}", [min(max(v, -65504.0), 65504.0) for v in ideal]
        guess = struct.unpack(form + "H", struct.pack(form + "e", *inside))
        true = self.residuals(list(guess), bytes(len(ideal)), 16)
        known = finite(struct.unpack(form + "e", struct.pack(form + "H", *true)))
        return true, known, [v if a == b else k for v, a, b, k in zip(ideal, guess, true, known)]
    def quant(self):  # Return a piece of codec "quant".
        number, row = self.unpack("B3xI")
        size, bits, zero, extreme, d_at, m_at, planes, small = KINDS[number]
        few, offset, least, small_planes, s_of, m_of = small
        plain, blocks, per, width = few == 1, range(self.size // size), len(s_of), len(s_of + m_of)
        x, n, top, most = self.predicted(row), 32 if plain else 256, (1 << bits) - 1, (1 << few) - 1
        parts = [x[i:i + n // per] for i in range(0, len(x), n // per)]
        lows = [0.0 if extreme else min([*part, 0.0] if m_of else part) + 0.0 for part in parts]
        scale = [max(part, key=abs) / (extreme or 1) for part in parts]
        if not extreme: scale = [(max(part) + 0.0 - v) / top for part, v in zip(parts, lows)]
        if extreme > 0: scale = [abs(v) for v in scale]
        def of_blocks(ideal):
            each = [ideal[i:i + per] for i in range(0, len(ideal), per)]
            return self.halves([max(g, key=abs) / least if least else max(g) / most for g in each])
        mins, (d, unit, steps) = lows if plain else [0.0 - v for v in lows], of_blocks(scale)
        m, floor, adds = of_blocks(mins) if m_at else ([0] * len(d), [], lows)
        adds, values, low, exact = [0.0 - v for v in adds], [], -128 if number == 8 else 0, []
        if not plain:
            guess, contexts = [0] * len(blocks) * width, [0] * len(blocks) * width
            for of, ideal, by, first in ((s_of, scale, unit, 0), (m_of, mins, floor, 16)):
                for v, (b, e) in zip(ideal, product(blocks, of)):
                    v = round(min(max(v / (by[b] or math.inf), least), least + most))
                    guess[(i := b * width + e)] = (v + offset) & most
                    contexts[i] = ((v - least) >> (few - 4)) + first
            values = self.residuals(guess, contexts, few)
            mean = [((v - offset - least) & most) + least for v in values]
            steps = [unit[b] * mean[b * width + e] for b, e in product(blocks, s_of)]
            steps = [step or own for step, own in zip(steps, scale)]
            if m_of: adds = [floor[b] * mean[b * width + e] for b, e in product(blocks, m_of)]
        for part, step, add in zip(parts, steps, adds):
            if not step: exact += [zero if plain and math.copysign(1, step) < 0 else 0] * len(part)
            else: exact += [min(max((v + add) / step + zero, low), low + top) for v in part]
        guess, contexts = rounded(exact, plain)
        codes, out = self.residuals([v & top for v in guess], contexts, bits), bytearray(self.size)
        for (at, shorts), b in product(((m_at, m), (d_at, d)), blocks):
            struct.pack_into("<H", out, b * size + at, shorts[b])
        planes = [(0, n, *plane[:3], 0, plane[3]) for plane in planes]
        for numbers, many, where in ((codes, n, planes), (values, width, small_planes)):
            for first, length, base, stride, wide, shift, up in where:
                group = stride * (8 - shift) // wide
                for b, i in product(blocks, range(length)):
                    part = numbers[b * many + first + i] >> up & ((1 << wide) - 1)
                    byte = b * size + base + i // group * stride + i % stride
                    out[byte] |= part << (shift + wide * (i % group // stride))
        return bytes(out)
    def scaled(self):  # Return a piece of codec "scaled".
        code, kind, row, first, tall, wide = self.unpack("BB2xIIII")
        top, mantissa, least = {1: (127, 0, 0), 2: (126, 3, -6), 3: (123, 2, -14)}[code]
        scales, exact, signs = finite(floats(self.bases[-1], kind)), [], []
        for i, v in enumerate(self.predicted(row)):
            step = scales[(first + i // row) // tall * -(-row // wide) + i % row // wide]
            v = v / step if step else 0.0
            signs.append(128 if code > 1 and math.copysign(1, v) < 0 else 0)
            if code > 1:  # codes of one sign are in the order of the numbers that they mean
                e = math.frexp(max(v := min(abs(v), 65536.0), 2.0**least))[1] - 1
                v = math.ldexp(v, mantissa - e) + ((e - least) << mantissa)
            exact.append(min(max(v, -128), top))
        guess, contexts = rounded(exact, away=False)
        return bytes(self.residuals([n & 255 | s for n, s in zip(guess, signs)], contexts, 8))
CODECS = {
    "raw": lambda it: it.data, "bytes": lambda it: it.octets(it.size),
    "delta": lambda it: it.weights(delta=True), "float": lambda it: it.weights(delta=False),
    "exponent": lambda it: it.weights(delta=False), "quant": Stored.quant, "scaled": Stored.scaled,
    "deflate": lambda it: zlib.decompressobj().decompress(it.data, it.size + 1), "lzma": lambda it:
        lzma.LZMADecompressor(lzma.FORMAT_XZ, 1 << 27).decompress(it.data, it.size + 1)}
if __name__ == "__main__": sys.exit(main(sys.argv[1:]))
