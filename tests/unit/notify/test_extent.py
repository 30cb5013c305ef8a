from reflexarc.events.gpu_faults import Job
from reflexarc.events.page import Member
from reflexarc.events.signal import Entity
from reflexarc.notify import extent
from tests.support.notices import at, incident, member, story


def spread(nodes: int, gpus: int) -> tuple[Member, ...]:
    """Return members on so many nodes; GPU 1 of node-1 leads and is not among them."""
    return tuple(
        member(gpu, f"node-{node}")
        for node in range(1, nodes + 1)
        for gpu in range(1, gpus + 1)
        if (node, gpu) != (1, 1)
    )


def reach(*members: Member, entity: Entity | None = None) -> str:
    lead = incident(1, "node-1", **({"entity": entity} if entity else {}))
    return extent.reach(extent.of(story(*members, lead=lead)))


def test_one_thing_is_named() -> None:
    assert reach() == "GPU 0000:01:00 on node-1"


def test_gpus_of_one_node_are_counted_and_the_node_is_named() -> None:
    assert reach(*spread(1, 8)) == "8 GPUs of node-1"


def test_a_storm_is_counted_in_gpus_and_nodes() -> None:
    about = story(*spread(625, 8), lead=incident(1, "node-1"))

    assert extent.headline(about) == (
        "XID 79: GPU has fallen off the bus · 5,000 GPUs of 625 nodes"
    )


def test_silent_nodes_are_not_of_themselves() -> None:
    silent = [member(entity=Entity(kind="node", node=f"node-{n}")) for n in (2, 3)]

    assert reach(*silent, entity=Entity(kind="node", node="node-1")) == "3 nodes"


def test_things_that_no_node_holds_are_counted() -> None:
    racks = [member(entity=Entity(kind="rack", device=f"r{n}")) for n in (2, 3)]

    assert reach(*racks, entity=Entity(kind="rack", device="r1")) == "3 racks"


def test_kinds_are_told_apart_and_the_rarest_only_counted() -> None:
    others = [
        member(2, "node-1"),
        member(3, "node-1"),
        *(member(entity=Entity(kind="nvswitch", node="node-1", device=f"{n}")) for n in (1, 2)),
        member(entity=Entity(kind="port", node="node-1", device="mlx5_0/1")),
        member(entity=Entity(kind="node", node="node-1")),
    ]

    assert reach(*others) == "3 GPUs, 2 NVSwitches, 1 network port, 1 more of node-1"


def test_what_only_follows_is_told_aside() -> None:
    members = [
        *(member(n, role="consequence") for n in (2, 3)),
        member(4, role="echo"),
    ]
    fabric = incident(entity=Entity(kind="fabric", device="r12"))
    reached = extent.of(story(*members, lead=fabric))

    assert extent.reach(reached) == "NVLink fabric r12"
    assert extent.aside(reached) == "2 consequences, 1 echo of a dead peer"
    assert extent.aside(extent.of(story())) == ""


def test_two_aspects_of_a_gpu_are_one_gpu_and_it_is_well_when_both_are() -> None:
    hot = incident().entity.model_copy(update={"aspect": "thermal"})
    half = extent.of(story(member(entity=hot, state="resolved")))

    assert (half.devices, half.repaired, extent.repaired(half)) == (1, 0, "")


def test_repairs_are_counted() -> None:
    mended = extent.of(
        story(
            member(2, state="resolved"),
            member(3),
            lead=incident(state="resolved", resolved_at=at(50)),
        )
    )

    assert extent.repaired(mended) == "2 of 3 repaired"
    assert [spot.open_devices for spot in mended.spots] == [(("gpu", "0000:03:00"),)]
    assert mended.changed_at == mended.spots[0].changed_at == at(60)


def test_nodes_stay_in_the_order_in_which_they_joined() -> None:
    before = extent.of(story(*spread(3, 1), lead=incident(1, "node-1")))
    after = extent.of(story(*spread(3, 1), member(9, "node-2"), lead=incident(1, "node-1")))

    names = [spot.name for spot in before.spots]
    assert names == [spot.name for spot in after.spots] == ["node-1", "node-2", "node-3"]
    assert after.nodes == 3


def test_the_nodes_with_most_that_is_broken_are_on_top() -> None:
    reached = extent.of(
        story(*spread(12, 1), member(7, "node-12"), member(8, "node-12", state="resolved"))
    )

    assert len(reached.top) == extent.TOP
    assert [spot.name for spot in reached.top][:2] == ["node-12", "node-7"]


def test_a_thing_without_a_node_is_a_spot_of_its_own() -> None:
    spots = extent.of(story(lead=incident(entity=Entity(kind="fabric", device="r12")))).spots

    assert [(spot.name, spot.devices) for spot in spots] == [
        ("NVLink fabric r12", (("fabric", "r12"),))
    ]


def test_counts_causes_and_jobs_are_those_of_all() -> None:
    job = Job(id="4711", name="train", owner="alice")
    reached = extent.of(
        story(
            member(2, count=5, cause="xid/48", job=job),
            member(3, count=2, job=job.model_copy(update={"rank": "3"})),
        )
    )

    assert reached.seen == 8
    assert reached.causes == {"xid/79": 2, "xid/48": 1}
    assert [found.id for found in reached.jobs] == ["4711"]
