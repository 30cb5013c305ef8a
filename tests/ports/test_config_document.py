import pytest

from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.kernel.errors import Rejected
from reflexarc.runtime.config import Documents
from tests.ports.conftest import Table
from tests.support.incidents import NOW


@pytest.fixture
def document(table: Table) -> ConfigDocument:
    return ConfigDocument(table.client, table.name)


def test_it_is_what_the_runtime_reads(document: ConfigDocument) -> None:
    documents: Documents = document

    assert documents.live() is None


def test_pushed_document_is_live(document: ConfigDocument) -> None:
    assert document.push('{"a": 1}', 0, NOW) == 1

    assert document.live() == (1, '{"a": 1}')


def test_every_version_is_kept(document: ConfigDocument) -> None:
    document.push("first", 0, NOW)
    document.push("second", 1, NOW)

    assert document.live() == (2, "second")
    assert document.version(1) == "first"
    assert document.version(2) == "second"
    assert document.version(3) is None


@pytest.mark.parametrize("seen", [0, 1, 7])
def test_push_over_a_version_that_was_not_seen_is_refused(
    document: ConfigDocument, seen: int
) -> None:
    document.push("first", 0, NOW)
    document.push("second", 1, NOW)

    with pytest.raises(Rejected, match=f"not version {seen} any more"):
        document.push("mine", seen, NOW)

    assert document.live() == (2, "second")


def test_first_push_of_two_wins(document: ConfigDocument) -> None:
    document.push("theirs", 0, NOW)

    with pytest.raises(Rejected):
        document.push("mine", 0, NOW)
