"""Fills Documents (runtime.config, runtime.telemetry_config), and the store that people push to.

The table holds two documents, each with versions of its own: reflexarc.yaml, and telemetry.yaml,
whose thousands of rules the page path does not read (docs/adr/026). A long text is kept packed.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import CONDITION, Cancelled, store_errors
from reflexarc.kernel.errors import Rejected

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef

_ABSENT = "attribute_not_exists(pk)"
# Rules repeat themselves: 2 MB of them pack to a tenth. What people write by hand stays readable.
PACKED_FROM = 32 * 1024
# An item holds 400 KB, its keys and names included.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
PACKED_MAX = 395_000
# What a function unpacks and reads in an instant, and no more.
TEXT_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the documents: where its rows stand, and whether LIVE holds the text itself.

    Where it does not, LIVE names the version alone: it is read every ten seconds, and a read is
    paid by the size of the row.
    """

    what: str
    prefix: str
    text_in_live: bool

    @property
    def live(self) -> str:
        """Return the sort key of the row that says which version is live."""
        return f"{self.prefix}LIVE"

    def version(self, number: int) -> str:
        """Return the sort key of a version."""
        return f"{self.prefix}V#{number}"


CONFIGURATION = Kind("configuration", "", text_in_live=True)
TELEMETRY = Kind("telemetry document", "TELEMETRY#", text_in_live=False)


@dataclass(frozen=True, slots=True)
class ConfigDocument:
    """One live document, and every version that ever was."""

    client: "DynamoDBClient"
    table: str
    kind: Kind = CONFIGURATION

    def live(self) -> tuple[int, str] | None:
        """Return the version and text of the live document, None where none was pushed."""
        row = self._row(self.kind.live)
        if row is None:
            return None
        number = _number(row)
        return number, _text(row if self.kind.text_in_live else self._kept(number))

    def live_version(self) -> int:
        """Return the version of the live document, 0 where none was pushed."""
        row = self._row(self.kind.live)
        return _number(row) if row else 0

    def version(self, number: int) -> str | None:
        """Return the text of one version, None where there is no such version."""
        row = self._row(self.kind.version(number))
        return _text(row) if row else None

    def push(self, text: str, replaces: int, now: datetime) -> int:
        """Make a text the live document and return its version.

        `replaces` is the version that its author saw (0: none yet). Raises Rejected when another
        was pushed meanwhile, so that nothing is overwritten that nobody has read, and when the
        text is longer than a row can hold.
        """
        pushed = replaces + 1
        about: rows.Key = {"version": rows.number(pushed), "at": rows.text(rows.iso(now))}
        content = _content(text, self.kind.what) | about
        live: PutTypeDef = {
            "TableName": self.table,
            "Item": rows.key("CONFIG", self.kind.live)
            | (content if self.kind.text_in_live else about),
            "ConditionExpression": _ABSENT,
        }
        if replaces:
            live["ConditionExpression"] = "#version = :seen"
            live["ExpressionAttributeNames"] = {"#version": "version"}
            live["ExpressionAttributeValues"] = {":seen": rows.number(replaces)}
        kept: PutTypeDef = {
            "TableName": self.table,
            "Item": rows.key("CONFIG", self.kind.version(pushed)) | content,
            "ConditionExpression": _ABSENT,
        }
        try:
            with store_errors(f"pushing the {self.kind.what}"):
                self.client.transact_write_items(TransactItems=[{"Put": live}, {"Put": kept}])
        except Cancelled as error:
            if CONDITION not in error.reasons:
                raise
            raise Rejected(
                f"the live {self.kind.what} is not version {replaces} any more:"
                " read it, merge your change, and push again"
            ) from error
        return pushed

    def _kept(self, number: int) -> dict[str, Any]:
        return self._row(self.kind.version(number)) or {}

    def _row(self, sk: str) -> dict[str, Any] | None:
        with store_errors(f"reading the {self.kind.what}"):
            found: dict[str, Any] | None = self.client.get_item(
                TableName=self.table, Key=rows.key("CONFIG", sk), ConsistentRead=True
            ).get("Item")
        return found


def _number(row: dict[str, Any]) -> int:
    return int(row["version"]["N"])


def _content(text: str, what: str) -> rows.Key:
    """Return the attribute that holds a text; raises Rejected where none can."""
    plain = text.encode()
    if len(plain) < PACKED_FROM:
        return {"doc": rows.text(text)}
    packed = zlib.compress(plain, 9) if len(plain) <= TEXT_MAX else plain
    if len(packed) > PACKED_MAX:
        raise Rejected(
            f"the {what} has {len(plain):,} bytes of JSON, {len(packed):,} of them as they are"
            f" kept: at most {TEXT_MAX:,} are taken, and {PACKED_MAX:,} kept"
        )
    return {"packed": {"B": packed}}


def _text(row: dict[str, Any]) -> str:
    """Return the text of a row; what cannot be unpacked is no document, and is refused as none."""
    if "packed" not in row:
        return str(row["doc"]["S"]) if "doc" in row else ""
    unpacker = zlib.decompressobj()
    try:
        return unpacker.decompress(row["packed"]["B"], TEXT_MAX).decode()
    except (zlib.error, UnicodeDecodeError):
        return ""
