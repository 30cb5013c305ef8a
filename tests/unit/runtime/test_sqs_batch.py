from typing import Any

from reflexarc.runtime.sqs_batch import never_raises


def test_an_unforeseen_error_gives_the_whole_batch_back() -> None:
    @never_raises
    def broken(event: dict[str, Any], context: Any) -> dict[str, Any]:
        raise KeyError(event["Records"][0]["messageId"], context)

    answer = broken({"Records": [{"messageId": "a"}, {"messageId": "b"}]}, None)

    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == ["a", "b"]
