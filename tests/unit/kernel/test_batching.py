"""Messages go together up to what SQS takes in one request, in their order."""

from reflexarc.kernel.batching import BATCH_BYTES, BATCH_COUNT, in_batches


def sizes(*bodies: str) -> list[list[int]]:
    return [[len(body) for body in batch] for batch in in_batches(bodies, str)]


def test_no_more_go_together_than_a_request_takes() -> None:
    assert [len(batch) for batch in sizes(*["x"] * 25)] == [BATCH_COUNT, BATCH_COUNT, 5]
    assert sizes() == []


def test_what_counts_is_bytes_and_one_that_is_too_large_goes_alone() -> None:
    half = BATCH_BYTES // 2

    assert sizes("x" * half, "y" * half, "z") == [[half, half], [1]]
    assert sizes("é" * half, "z") == [[half], [1]]
    assert sizes("a", "x" * (BATCH_BYTES + 1), "b") == [[1], [BATCH_BYTES + 1], [1]]
