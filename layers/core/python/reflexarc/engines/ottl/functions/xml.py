"""Converters of XML: ParseXML, ParseSimplifiedXML. Pure.

Documents that declare entities or a document type are refused: expanding them has no bound.
"""

from collections import Counter
from dataclasses import dataclass, field
from xml.parsers import expat

from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.values import EvaluationError

_DEEPEST = 100


@dataclass(slots=True)
class _Element:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[_Element]" = field(default_factory=list)
    # The text between its children, each run apart: an element may stand between two.
    runs: list[str] = field(default_factory=list)
    joins: bool = False


class _Tree:
    """What expat tells, as elements."""

    def __init__(self) -> None:
        self.open = [_Element("")]

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Open an element."""
        if len(self.open) > _DEEPEST:
            raise EvaluationError(f"XML nested deeper than {_DEEPEST}")
        local = {name.rpartition(":")[2]: value for name, value in attributes.items()}
        element = _Element(tag.rpartition(":")[2], local)
        self.open[-1].children.append(element)
        self.open[-1].joins = False
        self.open.append(element)

    def end(self, _: str) -> None:
        """Close an element."""
        self.open.pop()

    def text(self, data: str) -> None:
        """Add text; expat cuts one run into several."""
        element = self.open[-1]
        if element.joins:
            element.runs[-1] += data
        else:
            element.runs.append(data)
        element.joins = True

    def pause(self, *_: object) -> None:
        """End a run of text: a comment or the border of a CDATA section stands here."""
        self.open[-1].joins = False

    def refuse(self, *_: object) -> None:
        """Refuse a document type."""
        raise EvaluationError("XML with a document type is not read")


def _parsed(text: str) -> _Element:
    tree, parser = _Tree(), expat.ParserCreate()
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.text
    parser.CommentHandler = tree.pause
    parser.ProcessingInstructionHandler = tree.pause
    parser.StartCdataSectionHandler = tree.pause
    parser.EndCdataSectionHandler = tree.pause
    parser.StartDoctypeDeclHandler = tree.refuse
    try:
        parser.Parse(text, True)  # noqa: FBT003 - expat's own: the text is whole
    except expat.ExpatError as error:
        raise EvaluationError(f"this is no XML: {error}") from None
    return tree.open[0].children[0]


def parse_xml(text: str) -> dict[str, object]:
    """Return an element as a map of its tag, content, attributes and children."""
    if text != text.rstrip():
        raise EvaluationError("there is something behind the document")
    return _as_map(_parsed(text))


def _as_map(element: _Element) -> dict[str, object]:
    result: dict[str, object] = {"tag": element.tag}
    if content := "".join(run.strip() for run in element.runs):
        result["content"] = content
    if element.attributes:
        result["attributes"] = dict(element.attributes)
    if element.children:
        result["children"] = [_as_map(child) for child in element.children]
    return result


def parse_simplified_xml(text: str) -> dict[str, object]:
    """Return a document as maps of its elements' texts, without attributes."""
    root = _parsed(text)
    return _simplified([root])


def _simplified(children: list[_Element]) -> dict[str, object]:
    result: dict[str, object] = {}
    tags = Counter(child.tag for child in children)
    for child in children:
        if not child.children and not child.runs:
            continue
        value: object = _leaf(child) or _simplified(child.children)
        several = tags[child.tag] > 1
        listed = result.setdefault(child.tag, []) if several else None
        if not value:
            continue
        if isinstance(listed, list):
            listed.append(value)
        else:
            result[child.tag] = value
    return result


def _leaf(element: _Element) -> str:
    return "" if element.children or not element.runs else element.runs[0]


CONVERTERS = table(
    Converter("ParseXML", parameters("target: string"), parse_xml, "map"),
    Converter("ParseSimplifiedXML", parameters("target: string"), parse_simplified_xml, "map"),
)
