"""Reads YAML as people mean it, and knows on which line each setting stands."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from reflexarc.events.problems import Place, Problem


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain values: 10:30 is no number, no is no boolean, a date is text.

    PyYAML follows YAML 1.1, which reads the hour 10:30 as 630.
    https://yaml.org/spec/1.2.2/#103-core-schema
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own form


class _Fast(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """The same in C, where it is there: of 10,000 rules it reads in half the time.

    It says less well what is wrong, so what it refuses is read again.
    """

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


_PLAIN = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "merge": (r"<<", "<"),
}
for _tag, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


@dataclass(frozen=True, slots=True)
class Document:
    """A document's content, and the nodes that it was read from."""

    content: object
    root: yaml.Node | None
    begins: tuple[int, int] = (1, 1)

    def position(self, place: Place) -> tuple[int, int]:
        """Return line and column, from 1, of a setting; of what holds it where it is missing."""
        at, node = self.root, self.root
        for key in place:
            found = _inside(node, key)
            if found is None:
                break
            at, node = found
        return _position(at.start_mark) if at is not None else self.begins

    def twice(self) -> Iterator[Problem]:
        """Yield every setting that is written twice: YAML would silently take the last."""
        yield from _twice(self.root, (), set())


class NotYaml(ValueError):
    """A text is not YAML; `document` knows on which line."""

    def __init__(self, message: str, document: Document) -> None:
        super().__init__(message)
        self.document = document


def read(text: str) -> Document:
    """Return what a text says; raises NotYaml."""
    try:
        root, content = _loaded(text)
        json.dumps(content)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise NotYaml(str(error.reason), Document({}, None, (line, 1))) from error
    except yaml.MarkedYAMLError as error:
        begins = _position(error.problem_mark) if error.problem_mark else (1, 1)
        raise NotYaml(str(error.problem), Document({}, None, begins)) from error
    except RecursionError as error:
        raise NotYaml("it is nested too deeply", Document({}, None)) from error
    except (TypeError, ValueError) as error:
        what = "it holds a value that JSON cannot, or one that holds itself"
        raise NotYaml(what, Document({}, None)) from error
    return Document({} if content is None else content, root)


def _loaded(text: str) -> tuple[yaml.Node | None, object]:
    """Return the nodes of a text and what they say."""
    try:
        return _loaded_by(_Fast, text)
    except yaml.YAMLError:
        return _loaded_by(_Loader, text)


def _loaded_by(kind: type[Any], text: str) -> tuple[yaml.Node | None, object]:
    loader = kind(text)
    try:
        root = loader.get_single_node()
        return root, loader.construct_document(root) if root is not None else None
    finally:
        loader.dispose()


def _inside(node: yaml.Node | None, key: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return where a key stands and the node of its value, None where it is not."""
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key]
    if isinstance(node, yaml.MappingNode):
        # Of a key that is written twice the last counts.
        for name, value in reversed(node.value):
            if name.value == str(key):
                return name, value
    return None


def _twice(node: yaml.Node | None, place: Place, seen: set[int]) -> Iterator[Problem]:
    # An alias leads to a node that was looked at, or to itself.
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _twice(value, (*place, number), seen)
    elif isinstance(node, yaml.MappingNode):
        names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Problem(place=(*place, name), what="this is written twice: the last would count")
        for name, value in node.value:
            yield from _twice(value, (*place, str(name.value)), seen)


def _position(mark: yaml.Mark) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1
