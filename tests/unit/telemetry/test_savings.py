from decimal import Decimal

from reflexarc.telemetry.accounting import RuleTally, Tally
from reflexarc.telemetry.backends import Backend
from reflexarc.telemetry.savings import Saved, saved


def backend(name: str, usd_per_gb: str | None = None, signals: tuple[str, ...] = ()) -> Backend:
    return Backend.model_validate(
        {
            "name": name,
            "endpoint": "https://x.example",
            "usd_per_gb": usd_per_gb,
            **({"signals": signals} if signals else {}),
        }
    )


def tally(size: int) -> Tally:
    noise = RuleTally("noise", "drop")
    noise.numbers["size"] = size
    return Tally(signal="traces", version=1, rules={"noise": noise})


def test_a_rule_saves_its_bytes_at_every_backend_that_would_have_taken_them() -> None:
    backends = (
        backend("a", "0.30"),
        backend("b", "0.20"),
        backend("c", "9", signals=("logs",)),
    )

    assert saved(tally(2_000_000_000), backends) == {
        "noise": Saved(size=2_000_000_000, usd=Decimal("1.00"))
    }


def test_an_unknown_price_is_unknown_and_never_nothing() -> None:
    (only,) = saved(tally(1), (backend("a"),)).values()
    (some,) = saved(tally(1_000_000_000), (backend("a"), backend("b", "0.20"))).values()

    assert (only.usd, only.unknown) == (None, ("a",))
    assert (some.usd, some.unknown) == (Decimal("0.20"), ("a",))


def test_without_a_backend_nobody_knows() -> None:
    assert saved(tally(1), ())["noise"].usd is None
