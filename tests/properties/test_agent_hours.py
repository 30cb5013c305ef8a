"""Hours of use over any mix of looks, heartbeats and kills: exact, and only growing."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reflexarc.agent.aggregate import Aggregator, Standing, Window
from reflexarc.gpu.watch.model import GpuSample, NodeSample

START = datetime(2026, 3, 1, 12, 59, 30, tzinfo=UTC)
DEVICE = "0000:3b:00"
Step = tuple[str, float, float]

steps = st.lists(
    st.tuples(
        st.sampled_from(["look", "look", "look", "beat", "kill"]),
        st.floats(0.5, 4.5),
        st.floats(0, 100),
    ),
    max_size=60,
)


class Story:
    """An agent that looks, beats and is killed, and what the cloud was told of it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.kept: tuple[object, ...] = ()
        self.looked = self.since_beat = 0.0
        self.told: dict[tuple[datetime, datetime], float] = {}
        self.start()

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def start(self) -> None:
        self.aggregator = Aggregator(started_at=self.at, seconds=self.seconds)
        self.aggregator.restore(self.kept)  # type: ignore[arg-type]

    def look(self, step: float, utilization: float) -> None:
        self.seconds += step
        gpu = GpuSample(device=DEVICE, utilization=utilization)
        sample = NodeSample(at=self.at, seconds=self.seconds, gpus=(gpu,))
        self.aggregator.look(sample, standing={DEVICE: Standing(health="ok")})
        self.looked += step
        self.since_beat += step

    def beat(self) -> Window:
        window = self.aggregator.swap(self.seconds)
        self.kept = window.running
        self.since_beat = 0.0
        for hour in window.hours:
            key = hour.hour, hour.since
            assert hour.observed_s >= self.told.get(key, 0.0)
            assert hour.allocated_idle_s <= hour.idle_s <= hour.observed_s
            self.told[key] = hour.observed_s
        return window

    def kill(self) -> None:
        self.looked -= self.since_beat
        self.since_beat = 0.0
        self.start()


@given(steps)
def test_what_is_told_of_hours_is_what_was_looked_at_but_for_the_last_minute_of_a_kill(
    story_steps: list[Step],
) -> None:
    story = Story()
    for what, step, utilization in story_steps:
        if what == "look":
            story.look(step, utilization)
        elif what == "beat":
            story.beat()
        else:
            story.kill()
    story.beat()

    # Each telling rounds to a tenth of a second, and each restart goes on from there.
    assert abs(sum(story.told.values()) - story.looked) <= 0.1 * (len(story_steps) + 1)


@given(st.lists(st.floats(-50, 150, allow_nan=False), min_size=1, max_size=50))
def test_mean_lies_between_least_and_most_and_last_is_last(temperatures: list[float]) -> None:
    aggregator = Aggregator(started_at=START, seconds=0.0)
    for number, temperature in enumerate(temperatures):
        gpu = GpuSample(device=DEVICE, temperature_c=temperature)
        aggregator.look(NodeSample(at=START, seconds=float(number), gpus=(gpu,)), standing={})

    gauge = aggregator.swap(100.0).gpus[0].gauges["temperature_c"]
    assert gauge.min - 0.002 <= gauge.mean <= gauge.max + 0.002
    assert (gauge.min, gauge.max) == (round(min(temperatures), 3), round(max(temperatures), 3))
    assert gauge.last == round(temperatures[-1], 3)
