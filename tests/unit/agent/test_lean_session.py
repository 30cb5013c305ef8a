import pytest

from reflexarc.adapters.sqs.agent_queue import connect
from reflexarc.adapters.sqs.lean_session import lean_session


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        ("eu-west-1", "https://sqs.eu-west-1.amazonaws.com"),
        ("cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "https://sqs.us-gov-west-1.amazonaws.com"),
    ],
)
def test_queues_of_every_partition_are_found(region: str, endpoint: str) -> None:
    client = connect(f"{endpoint}/1/q", region=region, endpoint_url=None)

    assert client.meta.endpoint_url == endpoint


@pytest.mark.parametrize("service", ["sts", "sso", "sso-oidc", "signin"])
def test_services_that_give_credentials_can_be_called(service: str) -> None:
    client = lean_session().create_client(service, region_name="eu-west-1")

    assert "eu-west-1" in client.meta.endpoint_url


def test_endpoints_of_other_services_are_not_kept() -> None:
    endpoints = lean_session().get_component("data_loader").load_data("endpoints")

    assert len(endpoints["partitions"]) > 1
    assert all(len(each["services"]) <= 6 for each in endpoints["partitions"])
