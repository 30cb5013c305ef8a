"""The converter Format: values put into a text as Go's fmt.Sprintf does. Pure.

https://pkg.go.dev/fmt. Arguments by number (%[1]d) and widths from arguments (%*d) are refused.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite

from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.rendering import from_octets, json_text, octets
from reflexarc.engines.ottl.values import Duration, Id, Time

_VERB = re.compile(r"%([-+# 0]*)([0-9]*)(?:\.([0-9]*))?(.)?", re.DOTALL)
_WIDEST = 1_000
_GO_TYPES = {bool: "bool", int: "int64", float: "float64", str: "string", bytes: "[]uint8"}
_SMALLEST_PLAIN, _FIRST_WITH_EXPONENT = -4, 6


def _format(given: Mapping[str, object]) -> Callable[..., object]:
    template = str(given["format"])
    for flags, width, precision, verb in _VERB.findall(template):
        if verb in {"*", "["}:
            raise ValueError(f"%{flags}{width}{verb} is not supported in a format")
        if max(int(width or 0), int(precision or 0)) > _WIDEST:
            raise ValueError(f"a width above {_WIDEST}")
    return lambda values: formatted(template, values)


def formatted(template: str, values: list[object]) -> str:
    """Return a template with values in place of its verbs."""
    rest = list(values)

    def replaced(match: re.Match[str]) -> str:
        verb = match[4]
        if verb is None:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if not rest:
            return f"%!{verb}(MISSING)"
        return _Directive(match[1], match[2], match[3], verb).of(rest.pop(0))

    text = _VERB.sub(replaced, template)
    if rest:
        extra = ", ".join(map(_described, rest))
        text += f"%!(EXTRA {extra})"
    return text


def _described(value: object) -> str:
    if value is None:
        return "<nil>"
    return f"{_GO_TYPES.get(type(value), type(value).__name__)}={plain(value)}"


def plain(value: object) -> str:
    """Return a value as %v shows it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return shortest(value)
        case Time() | Duration():
            return json_text(value, html=False).strip('"')
        case bytes() | Id() | list() | dict():
            return _plain_container(value)
        case _:
            return str(value)


def _plain_container(value: bytes | Id | list[object] | dict[str, object]) -> str:
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{plain(value[key])}' for key in sorted(value))}]"
    items = value.octets if isinstance(value, Id) else value
    return f"[{' '.join(map(plain, items))}]"


def shortest(number: float) -> str:
    """Return the shortest form that %g has for a number."""
    if not isfinite(number):
        return {"inf": "+Inf", "-inf": "-Inf"}.get(str(number), "NaN")
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - it is finite
    power = len(digits) + exponent - 1
    if number and not _SMALLEST_PLAIN <= power < _FIRST_WITH_EXPONENT:
        text = "".join(map(str, digits))
        mantissa = text[0] + (f".{text[1:]}" if text[1:] else "")
        return f"{'-' * sign}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02}"
    return f"{Decimal(repr(number)):f}".removesuffix(".0")


class _Directive:
    """One verb with its flags."""

    def __init__(self, flags: str, width: str, precision: str | None, verb: str) -> None:
        self.flags, self.width, self.precision, self.verb = flags, width, precision, verb

    def of(self, value: object) -> str:
        """Return a value as this directive shows it."""
        for kinds, verbs, show in self._WAYS:
            if isinstance(value, kinds) and self.verb in verbs:
                # A truth value is no number to Go.
                if isinstance(value, bool) and kinds is int:
                    break
                return show(self, value)
        if self.verb == "v":
            return self._padded(plain(value))
        if self.verb == "T":
            return self._padded(_GO_TYPES.get(type(value), "<nil>"))
        return f"%!{self.verb}({_described(value)})"

    def _padded(self, text: str) -> str:
        width = int(self.width or 0)
        if "-" in self.flags:
            return text.ljust(width)
        return text.rjust(width, "0" if "0" in self.flags else " ")

    def _python(self, verb: str, value: object) -> str:
        precision = "" if self.precision is None else f".{self.precision}"
        return f"%{self.flags}{self.width}{precision}{verb}" % value

    def _whole(self, value: object) -> str:
        return self._python("d" if self.verb == "v" else self.verb, value)

    def _character(self, value: object) -> str:
        return self._padded(chr(value) if isinstance(value, int) else "")

    def _binary(self, value: object) -> str:
        return self._padded(f"{value:b}")

    def _fraction(self, value: object) -> str:
        if self.verb in "gGv" and self.precision is None:
            text = shortest(value) if isinstance(value, float) else ""
            return self._padded("+" + text if "+" in self.flags and text[0] != "-" else text)
        return self._python("g" if self.verb == "v" else self.verb, value)

    def _text(self, value: object) -> str:
        text = value if isinstance(value, str) else from_octets(bytes(value))  # type: ignore[call-overload]
        cut = text if self.precision is None else text[: int(self.precision or 0)]
        if self.verb == "q":
            cut = json_text(cut, html=False)
        elif self.verb in "xX":
            cut = octets(cut).hex()
            cut = cut.upper() if self.verb == "X" else cut
        return self._padded(cut)

    def _truth(self, value: object) -> str:
        return self._padded(plain(value))

    _WAYS: tuple[tuple[type, str, Callable[["_Directive", object], str]], ...] = (
        (bool, "tv", _truth),
        (int, "dvoxX", _whole),
        (int, "c", _character),
        (int, "b", _binary),
        (float, "eEfFgGv", _fraction),
        (str, "svqxX", _text),
        (bytes, "sqxX", _text),
    )


CONVERTERS = table(
    Converter(
        "Format",
        parameters("format: text, vals: any[]"),
        _format,
        "string",
        static=("format",),
    ),
)
