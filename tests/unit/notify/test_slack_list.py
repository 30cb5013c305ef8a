import json

from hypothesis import given
from hypothesis import strategies as st

from reflexarc.events.page import Member
from reflexarc.events.signal import Entity
from reflexarc.notify import extent, slack_list, slack_spots
from reflexarc.notify.extent import Extent, Spot
from samples.standins.block_kit import ALL, problems
from tests.support.notices import gpu_of, hostile, incident, member, page, story
from tests.unit.notify.slack_texts import texts


def reached(*members: Member, lead: Entity | None = None) -> Extent:
    return extent.of(story(*members, lead=incident(entity=lead or gpu_of(1, "node-0"))))


def line(*members: Member, lead: Entity | None = None) -> str:
    [spot] = reached(*members, lead=lead).spots
    return slack_spots.line(spot)[0]


def rendered(found: Extent) -> list[list[str]]:
    pages, before = [], 0
    for number, spots in enumerate(slack_list.allot(found), 1):
        pages.append(texts(slack_list.render(page(), number, before, spots)))
        before += len(spots)
    return pages


def test_every_node_of_a_storm_stands_on_one_list_page_with_its_gpus() -> None:
    storm = [member(gpu, f"node-{node}") for node in range(625) for gpu in range(1, 9)]

    pages = rendered(reached(*storm[1:]))

    lines = [line for page_ in pages for text in page_[1:] for line in text.splitlines()]
    assert lines == [
        f"`node-{node}` 8 GPUs: 01:00 02:00 03:00 04:00 05:00 06:00 07:00 08:00"
        for node in range(625)
    ]
    assert pages[0][0] == "*Affected 1 to 82, in the order in which they failed*"
    assert pages[1][0] == "*Affected 83 to 164, in the order in which they failed*"


def test_a_list_page_that_is_full_keeps_its_nodes_while_all_others_grow() -> None:
    firsts = [member(1, f"node-{node}") for node in range(1, 400)]
    more = [member(gpu, f"node-{node}") for node in range(600) for gpu in range(2, 17)]

    before = slack_list.allot(reached(*firsts))
    after = slack_list.allot(reached(*firsts, *more))

    names = [[spot.name for spot in page_] for page_ in after]
    assert names[: len(before) - 1] == [[spot.name for spot in page_] for page_ in before[:-1]]
    assert all(len(json.dumps(texts)) < ALL for texts in rendered(reached(*firsts, *more)))


def test_what_is_repaired_is_left_out_of_its_node() -> None:
    assert line(member(2, "node-0", state="resolved"), member(3, "node-0")) == (
        "`node-0` 2 of 3 GPUs: 01:00 03:00"
    )


def test_a_node_that_is_well_again_says_so() -> None:
    mended = reached(member(2, "node-1", state="resolved"), member(3, "node-1", state="resolved"))

    assert slack_spots.line(mended.spots[1]) == ("✅ `node-1` 2 GPUs repaired", True)


def test_other_things_are_named_by_their_kind() -> None:
    ports = [
        member(entity=Entity(kind="port", node="node-0", device=f"mlx5_{n}/1")) for n in (0, 1)
    ]

    assert line(*ports) == "`node-0` 1 GPU: 01:00, 2 network ports: mlx5_0/1 mlx5_1/1"


def test_a_silent_node_and_a_rack_need_no_further_name() -> None:
    silent = Entity(kind="node", node="node-0")

    assert line(lead=silent) == "`node-0`"
    assert line(lead=Entity(kind="rack", device="r12")) == "`rack r12`"
    assert slack_spots.counted(reached(lead=silent).spots[0]) == "`node-0`"


def test_nodes_that_are_only_hit_by_it_say_so() -> None:
    hit = reached(member(2, "node-1", role="consequence"), member(3, "node-2", role="echo"))

    assert [slack_spots.line(spot)[0] for spot in hit.spots[1:]] == [
        "`node-1` 1 GPU: 02:00 (consequence)",
        "`node-2` 1 GPU: 03:00 (echo)",
    ]


def test_gpus_of_another_pci_domain_keep_it() -> None:
    assert line(lead=Entity(kind="gpu", node="n", device="0008:01:00")) == "`n` 1 GPU: 0008:01:00"


def test_more_than_fits_is_counted() -> None:
    crowd = [member(gpu, "node-0") for gpu in range(2, 41)]

    said, whole = slack_spots.line(reached(*crowd).spots[0])

    assert said.startswith("`node-0` 40 GPUs: 01:00 02:00")
    assert said.endswith(" 10:00 +24")
    assert not whole


def test_a_kind_without_names_and_kinds_beyond_the_third_are_counted_at_most() -> None:
    things = [
        member(entity=Entity(kind=kind, node="node-0"))
        for kind in ("gpu", "nvswitch", "port", "fabric")
    ]

    said, whole = slack_spots.line(reached(*things, lead=things[0].entity).spots[0])

    assert (said, whole) == ("`node-0` 1 GPU, 1 NVSwitch, 1 network port", False)


def test_a_node_without_a_name_still_has_a_line() -> None:
    nameless = Entity(kind="gpu", node="\u200b", device="0000:01:00")

    assert line(lead=nameless) == "`no name` 1 GPU: 01:00"


def test_a_list_page_that_has_become_needless_says_so() -> None:
    assert texts(slack_list.render(page(), 2, 81, ())) == ["*Nothing more is affected*"]


@given(st.lists(st.tuples(hostile, hostile), min_size=1, max_size=30))
def test_no_line_needs_more_room_than_its_name_tells(things: list[tuple[str, str]]) -> None:
    members = [
        member(entity=Entity(kind=kind, node=node, device=device))
        for node, device in things
        for kind in ("gpu", "port", "nvswitch")
    ]

    for spot in reached(*members).spots:
        assert _room(spot) <= slack_spots.reserve(spot)


def _room(spot: Spot) -> int:
    return len(json.dumps(slack_spots.line(spot)[0] + "\n", ensure_ascii=False)) - 2


def test_the_longest_names_fill_many_list_pages_that_slack_takes() -> None:
    worst = '"\\' * 200
    crowd = [
        member(entity=Entity(kind="gpu", node=f"{n}{worst}", device=f"{d}{worst}"))
        for n in range(100)
        for d in range(8)
    ]
    found, before = reached(*crowd), 0

    for number, spots in enumerate(slack_list.allot(found), 1):
        message = slack_list.render(page(), number, before, spots)
        before += len(spots)
        assert problems(message["blocks"]) == []
        assert len(json.dumps(message["blocks"], ensure_ascii=False)) < ALL
    assert before == 101
