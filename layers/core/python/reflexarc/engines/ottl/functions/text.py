"""Converters that work on texts: Concat, Split, Substring... Places are counted in bytes. Pure."""

from collections.abc import Callable, Mapping

from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.rendering import from_octets, octets
from reflexarc.engines.ottl.values import EvaluationError, Records, equal, type_name

_SEPARATORS = frozenset(b"_ -.")


def lower(text: str) -> str:
    """Return a text in small letters, one for one."""
    if text.isascii():
        return text.lower()
    return "".join(character.lower()[0] for character in text)


def upper(text: str) -> str:
    """Return a text in capital letters, one for one."""
    if text.isascii():
        return text.upper()
    return "".join(
        capital if len(capital := character.upper()) == 1 else character for character in text
    )


def _is_capital(byte: int) -> bool:
    return 0x41 <= byte <= 0x5A  # noqa: PLR2004 - A to Z


def _is_small(byte: int) -> bool:
    return 0x61 <= byte <= 0x7A  # noqa: PLR2004 - a to z


def _is_digit(byte: int) -> bool:
    return 0x30 <= byte <= 0x39  # noqa: PLR2004 - 0 to 9


def camel(text: str) -> str:
    """Return some_name as SomeName. Only letters and digits are left."""
    result, capital_next, was_capital = bytearray(), True, False
    for byte in octets(text.strip()):
        is_capital, is_small = _is_capital(byte), _is_small(byte)
        if is_capital or is_small:
            turn = is_small if capital_next else is_capital and was_capital
            result.append(byte ^ 0x20 if turn else byte)
            capital_next = False
        elif _is_digit(byte):
            result.append(byte)
            capital_next = True
        else:
            capital_next = byte in _SEPARATORS
        was_capital = is_capital
    return from_octets(bytes(result))


def snake(text: str) -> str:
    """Return someName as some_name; an acronym is one word."""
    data = octets(text.strip())
    result = bytearray()
    for place, byte in enumerate(data):
        small = byte | 0x20 if _is_capital(byte) else byte
        following = data[place + 1 : place + 2]
        if following and _letters_change(byte, following[0]):
            if _starts_word_behind_acronym(data, place):
                result += b"_"
            result.append(small)
            if not _is_capital(byte) or _is_digit(following[0]):
                result += b"_"
        else:
            result.append(0x5F if byte in _SEPARATORS else small)
    return from_octets(bytes(result))


def _letters_change(byte: int, following: int) -> bool:
    kinds = (_is_capital, _is_small, _is_digit)
    before = [kind(byte) for kind in kinds]
    behind = [kind(following) for kind in kinds]
    return any(before) and any(behind) and before != behind


def _starts_word_behind_acronym(data: bytes, place: int) -> bool:
    return (
        place > 0
        and _is_capital(data[place - 1])
        and _is_capital(data[place])
        and _is_small(data[place + 1])
    )


_CASES: dict[str, Callable[[str], str]] = {
    "lower": lower,
    "upper": upper,
    "snake": snake,
    "camel": camel,
}


def convert_case(given: Mapping[str, object]) -> Callable[..., object]:
    """Prepare ConvertCase."""
    case = str(given["to_case"])
    if case not in _CASES:
        raise ValueError(f"{case!r} is no case; there are {', '.join(_CASES)}")
    return _CASES[case]


def concat(values: list[str | None], delimiter: str) -> str:
    """Return texts joined; nil is written as Go writes it."""
    return delimiter.join("<nil>" if value is None else value for value in values)


def split(text: str, delimiter: str) -> list[str]:
    """Return the parts of a text; the characters where the delimiter is empty."""
    return text.split(delimiter) if delimiter else list(text)


def substring(text: str, start: int, length: int) -> str:
    """Return a part of a text; a part that does not lie within it is an error."""
    data = octets(text)
    if start < 0 or length <= 0 or start + length > len(data):
        raise EvaluationError(f"{start} + {length} is no range of {len(data)} bytes")
    return from_octets(data[start : start + length])


def trim(text: str, replacement: str = " ") -> str:
    """Return a text without these characters at its ends."""
    return text.strip(replacement)


def length(value: object) -> int:
    """Return how long a text (in bytes), list or map is."""
    if isinstance(value, str):
        return len(octets(value))
    if isinstance(value, bytes | list | dict):
        return len(value)
    if isinstance(value, Records):
        return value.size
    raise EvaluationError(f"{type_name(value)} has no length")


def index(target: object, value: object) -> int:
    """Return where a value first stands in a text or list, -1 if nowhere."""
    if isinstance(target, str):
        if not isinstance(value, str):
            raise EvaluationError(f"a text cannot contain {type_name(value)}")
        return octets(target).find(octets(value))
    if not isinstance(target, list):
        raise EvaluationError(f"expected list but got {type_name(target)}")
    return next((place for place, item in enumerate(target) if equal(item, value)), -1)


def contains_value(target: list[object], item: object) -> bool:
    """Tell whether a list has a value."""
    return any(equal(value, item) for value in target)


_TEXT = parameters("target: string")

CONVERTERS = table(
    Converter(
        "ConvertCase",
        parameters("target: string, to_case: text"),
        convert_case,
        "string",
        total=True,
        static=("to_case",),
    ),
    Converter("ToLowerCase", _TEXT, lower, "string", total=True),
    Converter("ToUpperCase", _TEXT, upper, "string", total=True),
    Converter("ToSnakeCase", _TEXT, snake, "string", total=True),
    Converter("ToCamelCase", _TEXT, camel, "string", total=True),
    Converter(
        "Concat", parameters("vals: string_like[], delimiter: string"), concat, "string", total=True
    ),
    Converter(
        "HasPrefix",
        parameters("target: string, prefix: string"),
        str.startswith,
        "bool",
        total=True,
    ),
    Converter(
        "HasSuffix", parameters("target: string, suffix: string"), str.endswith, "bool", total=True
    ),
    Converter("Split", parameters("target: string, delimiter: string"), split, "list", total=True),
    Converter(
        "Substring", parameters("target: string, start: int, length: int"), substring, "string"
    ),
    Converter("Trim", parameters("target: string, replacement: text?"), trim, "string", total=True),
    Converter(
        "TrimPrefix",
        parameters("target: string, prefix: string"),
        str.removeprefix,
        "string",
        total=True,
    ),
    Converter(
        "TrimSuffix",
        parameters("target: string, suffix: string"),
        str.removesuffix,
        "string",
        total=True,
    ),
    Converter("Len", parameters("target: any"), length, "int"),
    Converter("Index", parameters("target: any, value: any"), index, "int"),
    Converter(
        "ContainsValue",
        parameters("target: list, item: any"),
        contains_value,
        "bool",
        total=True,
    ),
)
