from hypothesis import given
from hypothesis import strategies as st

from reflexarc.agent.frames import frame, scan

payloads = st.lists(st.binary(max_size=60), max_size=6)


@given(payloads)
def test_what_was_framed_is_read(parts: list[bytes]) -> None:
    data = b"".join(frame(part) for part in parts)

    found = list(scan(data))

    assert [each.payload for each in found] == parts
    assert sum(each.length for each in found) == len(data)


def test_damage_in_the_middle_costs_one_record() -> None:
    first, second, third = frame(b'{"a":1}'), frame(b'{"b":2}'), frame(b'{"c":3}')
    damaged = second[:-1] + b"?"

    assert [each.payload for each in scan(first + damaged + third)] == [b'{"a":1}', b'{"c":3}']
    assert [each.payload for each in scan(first + second[:9] + third)] == [b'{"a":1}', b'{"c":3}']


@given(st.lists(st.text(st.characters(max_codepoint=127)), max_size=6), st.data())
def test_any_end_of_the_file_leaves_all_earlier_records(
    texts: list[str], data: st.DataObject
) -> None:
    frames = [frame(text.encode()) for text in texts]
    whole = b"".join(frames)
    end = data.draw(st.integers(0, len(whole)))
    complete = sum(1 for index in range(len(frames)) if len(b"".join(frames[: index + 1])) <= end)

    found = [each.payload.decode() for each in scan(whole[:end])]

    assert found == texts[:complete]


@given(st.binary())
def test_no_bytes_raise(data: bytes) -> None:
    list(scan(data))
