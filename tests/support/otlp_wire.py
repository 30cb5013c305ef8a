"""Fields and values as hardly an encoder writes them and every decoder must read them.

Seeded, byte by byte; whole items and requests are in `otlp_items`. What comes out always parses
with the plain schema. `odd` says how much of it is strange: numbers and tags with more bytes than
they take, fields twice, in any order or of no schema, values before keys, several keys and values
in one KeyValue, and whole fake KeyValues within texts and fields that nobody knows. With `odd=0` it
is what an SDK sends, of random content.
"""

import random
import struct
from collections.abc import Callable, Sequence

KEYS = (
    "url.path",
    "tenant",
    "tenants",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.output_token",
    "http.response.status_code",
    "x",
    "",
    "ключ",
    "k" * 100,
    "k" * 130,
)
# The last third are whole fields, or begin or end like one, or are long.
TEXTS = (
    "/healthz",
    "/healthzz",
    "healthz",
    "chat",
    "chats",
    "umbrella",
    "Umbrella",
    "umbrella corporation",
    "",
    "a",
    "500",
    "true",
    "tenant",
    "gen_ai.usage.output_tokens",
    "\nhello_there\t",
    "<script>/hello&goodbye_",
    "ünïcode/healthz",
    "\u2028separated_by_a_line",
    '"quoted\\',
    "\n\x08umbrella",
    "\x12\x0a\n\x08umbrella",
    "J\x20\n\x1agen_ai.usage.output_tokens\x12\x02\x18\x05",
    "2\x20\n\x1agen_ai.usage.output_tokens\x12\x02\x18\x05",
    "gen_ai.usage.output_tokens\x12\x02\x18\x05",
    "\n\x1agen_ai.usage.output_tokens\x12\x02\x18\x01",
    "tenant\x12\x0a\n\x08umbrella",
    "chatJ\x20",
    "z" * 127,
    "umbrella" * 40,
    "q" * 17_000,
)
INTEGERS = (0, 1, 2, 3, 5, 127, 128, 200, 404, 499, 500, 503, 16_383, 16_384, 2**21, 2**28 - 1)
LARGE = (2**28, 2**31, 2**35, 2**53, 2**53 + 1, 2**62, 2**63 - 1, -1, -5, -(2**63))
DOUBLES = (0.0, -0.0, 0.5, 2.9, 3.0, 499.5, 500.0, 1e21, 1e-7, -1.0)
NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
# In no message of OTLP.
_UNKNOWN = (19, 20, 100, 1_000, 500_000)
_LENGTH_BYTES, _VARINT_BYTES = 5, 10

Make = Callable[[], bytes]


def _fixed64(number: int) -> bytes:
    return struct.pack("<Q", number & (1 << 64) - 1)


class WireWriter:
    """Writes random messages; the same seed writes the same."""

    def __init__(
        self,
        seed: int,
        *,
        odd: float = 0.3,
        keys: Sequence[str] = KEYS,
        texts: Sequence[str] = TEXTS,
    ) -> None:
        self.rng = random.Random(seed)
        self.odd = odd
        self.keys = keys
        self.texts = texts

    # How things are written

    def happens(self, share: float) -> bool:
        """Tell whether something odd happens now."""
        return self.rng.random() < self.odd * share

    def varint(self, number: int, longest: int = _VARINT_BYTES) -> bytes:
        """Write a number, now and then with more bytes than it takes."""
        number &= (1 << 64) - 1
        encoded = bytearray()
        while number > 0x7F:
            encoded.append(number & 0x7F | 0x80)
            number >>= 7
        encoded.append(number)
        if self.happens(0.15) and len(encoded) < longest:
            more = self.rng.randint(1, longest - len(encoded))
            encoded[-1] |= 0x80
            encoded += b"\x80" * (more - 1) + b"\0"
        return bytes(encoded)

    def tag(self, field: int, kind: int) -> bytes:
        return self.varint(field << 3 | kind, _LENGTH_BYTES)

    def held(self, field: int, data: bytes | str) -> bytes:
        """Write a length-delimited field."""
        data = data.encode() if isinstance(data, str) else data
        return self.tag(field, 2) + self.varint(len(data), _LENGTH_BYTES) + data

    def number(self, field: int, number: int) -> bytes:
        return self.tag(field, 0) + self.varint(number)

    def eight(self, field: int, number: float) -> bytes:
        """Write a double, or a number of 64 bits without its sign."""
        data = struct.pack("<d", number) if isinstance(number, float) else _fixed64(number)
        return self.tag(field, 1) + data

    def four(self, field: int, number: int) -> bytes:
        return self.tag(field, 5) + struct.pack("<I", number)

    def message(self, fields: Sequence[bytes], others: Sequence[Make] = ()) -> bytes:
        """Put fields together; odd ones with some lost, with strange ones between, in any order."""
        fields = list(fields)
        if self.happens(0.5):
            for _ in range(self.rng.randint(1, 3)):
                make = self.rng.choice((self.unknown, self.unknown, *others))
                fields.insert(self.rng.randint(0, len(fields)), make())
        if self.happens(0.2):
            fields = [each for each in fields if self.rng.random() < 0.7]
        if self.happens(0.3):
            self.rng.shuffle(fields)
        return b"".join(fields)

    def unknown(self) -> bytes:
        """Write a field that no schema has."""
        field = self.rng.choice(_UNKNOWN)
        match self.rng.randrange(6):
            case 0:
                return self.number(field, self.rng.choice((0x4A, 0x32, 5, 300)))
            case 1:
                return self.tag(field, 1) + b"abcd\x0aJ\x20\x0a"
            case 2:
                return self.tag(field, 5) + self.rng.choice((b"abJ\x20", b"ab2\x20"))
            case 3:
                return self.tag(field, 3) + self.disguise() + self.tag(field, 4)
            case _:
                return self.held(field, self.rng.choice((self.disguise(), self.text().encode())))

    def disguise(self) -> bytes:
        """Write whole fields that look like an item's own attributes, or like nested groups."""
        match self.rng.randrange(4):
            case 0:
                return self.tag(7, 3) + self.number(1, 5) + self.tag(7, 4)
            case 1:
                return self.held(self.rng.choice((6, 7, 9)), self.key_value(2))
            case 2:
                return self.held(1, self.text())
            case _:
                # As every encoder would write an attribute of a span, and of a log record.
                tag = self.rng.choice((b"J", b"2"))
                return tag + b"\x20\n\x1agen_ai.usage.output_tokens\x12\x02\x18\x05"

    # Values

    def text(self) -> str:
        plain = len(self.texts) * 2 // 3
        return self.rng.choice(self.texts if self.rng.random() < 0.4 else self.texts[:plain])

    def key(self) -> str:
        return self.rng.choice(self.keys)

    def any_value(self, depth: int = 0) -> bytes:
        values = [self._value(depth)] if self.rng.random() < 0.97 else []
        return self.message(values, [lambda: self._value(depth)])

    def _value(self, depth: int) -> bytes:
        makes = (self._text_value, self._int_value, self._double_value, self._bool_value)
        deep = (self._bytes_value, lambda: self._list_value(depth), lambda: self._map_value(depth))
        weights = (40, 20, 10, 5, 8, *((9, 8) if depth < 3 else (0, 0)))
        return self.rng.choices((*makes, *deep), weights)[0]()

    def _text_value(self) -> bytes:
        return self.held(1, self.text())

    def _int_value(self) -> bytes:
        return self.number(3, self.rng.choice(INTEGERS if self.rng.random() < 0.7 else LARGE))

    def _double_value(self) -> bytes:
        return self.eight(4, self.rng.choice(DOUBLES + NOT_FINITE))

    def _bool_value(self) -> bytes:
        return self.number(2, self.rng.randint(0, 1))

    def _bytes_value(self) -> bytes:
        data = self.text().encode()
        return self.held(7, self.rng.choice((data, b"", self.rng.randbytes(5) + data)))

    def _list_value(self, depth: int) -> bytes:
        items = [self.held(1, self.any_value(depth + 1)) for _ in range(self.rng.randint(0, 2))]
        return self.held(5, self.message(items))

    def _map_value(self, depth: int) -> bytes:
        return self.held(6, self.message(self.attributes(1, 2, depth + 1)))

    def key_value(self, depth: int = 0) -> bytes:
        parts = [self.held(1, self.key()), self.held(2, self.any_value(depth))]
        if self.happens(0.1):
            parts = parts[self.rng.randint(0, 1) :][:1]
        if self.happens(0.15):
            # Behind a field that ends like a KeyValue's head stands what looks like the rest of it.
            head = self.rng.choice(
                (b"\xed\x06abJ\x20", b"\xed\x06ab2\x20", self.held(19, b"qJ\x20"))
            )
            parts = [head + b"\n\x1agen_ai.usage.output_tokens\x12\x02\x18\x05", *parts[1:]]
        return self.message(
            parts,
            [lambda: self.held(2, self.any_value(2)), lambda: self.held(1, self.key())],
        )

    def attributes(self, field: int, most: int = 6, depth: int = 0) -> list[bytes]:
        """Write fields with a KeyValue each."""
        count = self.rng.randint(0, most)
        if depth == 0 and self.rng.random() < 0.02:
            count = 70
        found = [self.held(field, self.key_value(depth)) for _ in range(count)]
        if depth == 0 and self.rng.random() < 0.5:
            number = self.held(3 if self.happens(0.1) else 2, self.number(3, self._count()))
            usual = self.held(1, "gen_ai.usage.output_tokens") + number
            found.insert(self.rng.randint(0, len(found)), self.held(field, usual))
        return found

    def _count(self) -> int:
        return self.rng.choice(INTEGERS)
