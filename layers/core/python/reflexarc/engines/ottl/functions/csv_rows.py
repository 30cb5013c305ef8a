"""One row of CSV, as Go's encoding/csv reads it. Pure.

Lines behind the first continue its last field: the text is one record of a log.
"""

from collections.abc import Callable, Mapping

from reflexarc.engines.ottl.values import EvaluationError

_MODES = ("strict", "lazyQuotes", "ignoreQuotes")


def parse_csv(given: Mapping[str, object]) -> Callable[..., object]:
    """Prepare ParseCSV."""
    delimiter = str(given.get("delimiter", ","))
    header_delimiter = str(given.get("header_delimiter", delimiter))
    mode = str(given.get("mode", "strict"))
    if len(delimiter) != 1 or len(header_delimiter) != 1:
        raise ValueError("a delimiter is one character")
    if mode not in _MODES:
        raise ValueError(f"{mode[:80]!r} is no mode; there are {', '.join(_MODES)}")

    def parsed(text: str, header: str) -> dict[str, str]:
        if not header:
            raise EvaluationError("the header is empty")
        names = header.split(header_delimiter)
        if mode == "ignoreQuotes":
            fields = text.split(delimiter)
        else:
            fields = row(text, delimiter, lazy=mode == "lazyQuotes")
        if len(names) != len(fields):
            raise EvaluationError(f"{len(names)} names for {len(fields)} fields")
        return dict(zip(names, fields, strict=True))

    return parsed


def row(text: str, delimiter: str, *, lazy: bool) -> list[str]:
    """Return the fields of a text; `lazy` lets quotes stand where they should not."""
    lines = [line + "\n" for line in text.replace("\r\n", "\n").split("\n")]
    lines[-1] = lines[-1][:-1]
    lines.reverse()
    fields: list[list[str]] = []
    while lines:
        record = _record(lines, delimiter, lazy=lazy)
        if record and fields:
            fields[-1].append(record.pop(0))
        fields += [[field] for field in record]
    if not fields:
        raise EvaluationError("there is no row")
    return ["\n".join(parts) for parts in fields]


def _record(lines: list[str], delimiter: str, *, lazy: bool) -> list[str]:
    """Take the lines of one record, the last first, and return its fields; none of empty lines."""
    line, fields = lines.pop(), []
    if line in {"", "\n"}:
        return []
    while True:
        if line.startswith('"'):
            field, line = _quoted(line[1:], lines, delimiter, lazy=lazy)
            fields.append(field)
            if not line.startswith(delimiter):
                return fields
            line = line[1:]
            continue
        field, found, line = line.partition(delimiter)
        field = field if found else field.removesuffix("\n")
        if '"' in field and not lazy:
            raise EvaluationError("a quote within a field that does not begin with one")
        fields.append(field)
        if not found:
            return fields


def _quoted(line: str, lines: list[str], delimiter: str, *, lazy: bool) -> tuple[str, str]:
    """Return a quoted field, and what stands behind it on its last line."""
    parts = []
    while True:
        part, found, line = line.partition('"')
        parts.append(part)
        if not found:
            if lines:
                line = lines.pop()
                continue
            if not lazy:
                raise EvaluationError("a quote is not closed")
            return "".join(parts), ""
        if line.startswith('"'):
            parts.append('"')
            line = line[1:]
        elif not line or line == "\n" or line.startswith(delimiter):
            return "".join(parts), line
        elif lazy:
            parts.append('"')
        else:
            raise EvaluationError("a quote within a quoted field is not doubled")
