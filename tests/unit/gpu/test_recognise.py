"""One fault is one sighting, however many lines the kernel prints for it."""

from reflexarc.gpu.recognise import Recogniser

SWITCH = "nvidia-nvswitch1: SXid (PCI:0000:06:00.0): "
EVENT = f"{SWITCH}20034, Fatal, Link 48 LTSSM Fault Up"
SEVERITY = f"{SWITCH}20034, Severity 1 Engine instance 48 Sub-engine instance 00"
DATA = f"{SWITCH}20034, Data {{0x10000000, 0x10000000}}"
BARE = f"{SWITCH}26008, SOE Crash"


def seen(*lines: str) -> list[bool]:
    recogniser = Recogniser()
    return [recogniser.see(line) is not None for line in lines]


def test_the_three_lines_of_an_sxid_are_one_sighting() -> None:
    assert seen(EVENT, SEVERITY, DATA) == [True, False, False]


def test_a_repeat_of_the_event_is_a_sighting_of_its_own() -> None:
    assert seen(EVENT, SEVERITY, DATA, EVENT, SEVERITY, DATA) == [True, False, False] * 2


def test_lines_whose_event_was_not_seen_are_sightings() -> None:
    assert seen(SEVERITY, DATA) == [True, True]


def test_lines_of_another_switch_or_long_after_the_event_are_sightings() -> None:
    other = SEVERITY.replace("06:00.0", "07:00.0")

    assert seen(EVENT, other) == [True, True]
    assert seen(EVENT, *["usb 1-1: new device"] * 64, DATA)[-1]


def test_a_severity_line_is_heard_when_its_event_did_not_say_how_grave_it_is() -> None:
    severity = SEVERITY.replace("20034", "26008")

    assert seen(BARE, severity) == [True, True]


def test_a_line_seen_before_is_not_read_again() -> None:
    line = "NVRM: Xid (PCI:0000:65:00): 79, pid=1234, name=python3, GPU has fallen off the bus."
    recogniser = Recogniser()

    first = recogniser.see(line)

    assert first is not None
    assert recogniser.see(line) is first


def test_memory_of_lines_stays_bounded() -> None:
    recogniser = Recogniser()
    for code in range(600):
        recogniser.see(f"NVRM: Xid (PCI:0000:65:00): {code}, pid=1, name=python3, text")

    assert len(recogniser._known) <= 256


def test_memory_of_events_stays_bounded() -> None:
    recogniser = Recogniser()
    for code in range(20_000, 20_600):
        recogniser.see(EVENT.replace("20034", str(code)))

    assert len(recogniser._switch_events) <= 256
