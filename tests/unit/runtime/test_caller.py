"""Who types a command."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from reflexarc.runtime.caller import caller_of


@dataclass
class FakeSts:
    answer: Mapping[str, Any] | Exception

    def get_caller_identity(self) -> Mapping[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:sts::123456789012:assumed-role/Oncall/night-shift", "night-shift"),
        ("arn:aws:iam::123456789012:user/ops/night-shift", "night-shift"),
        ("arn:aws:iam::123456789012:root", "root"),
        ("", ""),
    ],
)
def test_the_name_is_the_end_of_the_arn(arn: str, name: str) -> None:
    assert caller_of(FakeSts({"Arn": arn})) == name


@pytest.mark.parametrize(
    "error", [NoCredentialsError(), ClientError({"Error": {"Code": "ExpiredToken"}}, "x")]
)
def test_nobody_is_named_where_nobody_can_say(error: Exception) -> None:
    assert caller_of(FakeSts(error)) == ""
