import json
import time
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator

import reflexarc.gpu
from reflexarc.gpu import catalog
from reflexarc.gpu.explain import explain
from reflexarc.gpu.parse import parse

DATA = Path(reflexarc.gpu.__file__).parent / "data"


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / name).read_text("utf-8"))
    return loaded


@pytest.mark.parametrize("name", ["xid", "sxid", "findings"])
def test_the_data_follow_their_schema(name: str) -> None:
    schema = document(f"{name}.schema.json")
    Draft202012Validator.check_schema(schema)

    errors = list(Draft202012Validator(schema).iter_errors(document(f"{name}.json")))

    assert errors == []


def test_every_file_of_data_is_known() -> None:
    assert sorted(path.name for path in DATA.iterdir()) == [
        "findings.json",
        "findings.schema.json",
        "sxid.json",
        "sxid.schema.json",
        "xid.json",
        "xid.schema.json",
    ]


@pytest.mark.parametrize(("kind", "count"), [("xid", 178), ("sxid", 399)])
def test_every_code_is_there_once(kind: Literal["xid", "sxid"], count: int) -> None:
    codes = catalog.codes(kind)

    assert len(codes) == len(document(f"{kind}.json")[f"{kind}s"]) == count
    assert list(codes) == sorted(codes)


@pytest.mark.parametrize("kind", ["xid", "sxid"])
def test_every_code_can_be_explained(kind: Literal["xid", "sxid"]) -> None:
    for code in catalog.codes(kind):
        facts = explain(kind, code)

        assert facts["known"]
        assert facts["title"]
        assert facts["meaning"].endswith(".")
        assert facts["action"].endswith((".", ")"))
        assert "{" not in facts["action"]
        assert facts["sources"]


def test_an_unknown_code_is_explained_as_unknown() -> None:
    facts = explain("xid", 999)

    assert not facts["known"]
    assert (facts["severity"], facts["owner"]) == ("warning", "oncall")
    assert not explain("sxid", 99_999)["known"]


def test_every_reference_leads_somewhere() -> None:
    xids = document("xid.json")
    buckets = {name for raw in xids["xids"] for name in raw.get("nvidia", {}).values()}
    buckets |= {raw[part] for raw in xids["nvlink5"] for part in ("now", "later")}

    assert buckets == set(xids["buckets"])
    assert {raw["action"] for raw in xids["xids"]} == set(xids["actions"])
    assert {ref for raw in xids["xids"] for ref in raw["refs"]} == set(xids["sources"])
    sxids = document("sxid.json")
    assert {raw["unit"] for raw in sxids["sxids"]} == set(sxids["units"])
    assert {raw["action"] for raw in sxids["sxids"]} == set(sxids["actions"])
    assert {ref for raw in sxids["sxids"] for ref in raw["refs"]} == set(sxids["sources"])


def test_names_that_nobody_explains_are_shown_as_they_are() -> None:
    assert catalog.bucket("SOMETHING_NEW") == "SOMETHING_NEW"


def test_unknown_codes_are_none() -> None:
    assert catalog.xid(9_999) is None
    assert catalog.sxid(9_999) is None
    assert catalog.recovery(99) is None


def rule(line: str) -> catalog.NvlinkRule | None:
    return catalog.nvlink_rule(parse(f"NVRM: Xid (PCI:0000:04:00): {line}"))


@pytest.mark.parametrize(
    ("line", "now", "later"),
    [
        # The unit's number stands in bits 9:5 before r575 and in bits 6:0 since.
        (
            "144, SAW_MVB Fatal XC0 i0 Link 00 (0x00000021 0x00000002)",
            "RESET_GPU",
            "CONTACT_SUPPORT",
        ),
        (
            "144, SAW_MVB Fatal XC0 i0 Link 00 (0x00000001 0x00000002)",
            "RESET_GPU",
            "CONTACT_SUPPORT",
        ),
        (
            "149, NETIR_LINK_EVT Fatal XC0 i0 Link 08 (0x004505c6 0x00000000)",
            "RESET_GPU",
            "INVESTIGATE_LINK_SI",
        ),
        (
            "149, NETIR_LINK_EVT Fatal XC0 i0 Link 08 (0x021425c6 0x00000000)",
            "RESET_GPU",
            "INVESTIGATE_PEER_DEVICE",
        ),
        (
            "150, MSE Degraded Fatal XC0 i0 Link 00 (0x00000000 0xffffffff)",
            "RESET_GPU",
            "CONTACT_SUPPORT",
        ),
    ],
)
def test_nvlink_rules_hold_for_old_and_new_drivers(line: str, now: str, later: str) -> None:
    found = rule(line)

    assert found is not None
    assert (found.now, found.later) == (now, later)


def test_a_promoted_report_wants_a_reset() -> None:
    usual = rule("145, RLW_RXPIPE Nonfatal XC0 i0 Link 00 (0x00000006 0x00000001)")
    promoted = rule("145, RLW_RXPIPE Nonfatal XC0 i0 Link 00 (0x00000086 0x00000001)")

    assert usual is not None
    assert promoted is not None
    assert (usual.promoted, usual.now) == (False, "IGNORE")
    assert (promoted.promoted, promoted.now) == (True, "RESET_GPU")


@pytest.mark.parametrize(
    "line",
    [
        "145, RLW_SRC_TRACK Nonfatal XC1 i0",
        "145, RLW_REMAP Nonfatal XC1 i0 Link 10",
        "144, SAW_NEW Nonfatal XC0 i0 Link 00 (0x00000004 0x00000001)",
        "144, SAW_MVB Nonfatal XC0 i0 Link 00 (0x00000003 0x00000001)",
        "144, SAW_MVB Nonfatal XC0 i0 Link 00 (0x00000001 0x70000000)",
        "144, SAW_MVB Nonfatal XC0 i0 Link 00 (0x00000001)",
    ],
)
def test_reports_beyond_nvidias_table_have_no_rule(line: str) -> None:
    assert rule(line) is None


def test_the_catalogue_is_read_once_and_fast() -> None:
    catalog._document.cache_clear()
    catalog._by_code.cache_clear()
    began = time.process_time()

    catalog.xid(79)
    catalog.sxid(20034)

    assert time.process_time() - began < 0.05  # 7 ms where it was measured; machines are shared
    assert catalog._document("xid.json") is catalog._document("xid.json")
