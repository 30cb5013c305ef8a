"""A minute of trouble on a stack whose emulator enforces every policy (AUTH=true)."""

import pytest

from tests.emulator.troubles import Troubles

pytestmark = pytest.mark.emulator


def test_a_queue_out_of_reach_for_a_minute_loses_nothing(troubles: Troubles) -> None:
    assert troubles.seen_before_the_end.unheard == 0

    assert troubles.unheard.all_arrive_once(timeout_s=90)


def test_roles_suffice_and_a_secret_put_right_delivers_what_waited(troubles: Troubles) -> None:
    # A missing secret asks nobody, a revoked key backs off: 0, 15 and 45 s after the fault.
    assert troubles.seen_before_the_end.asked <= 4

    assert troubles.told.all_arrive_once(timeout_s=120)


def test_the_emulator_denied_nothing_that_the_product_needs(troubles: Troubles) -> None:
    assert troubles.lane.emulator is not None
    log = troubles.lane.emulator.child.log.read_text()

    assert "AccessDenied" not in log
