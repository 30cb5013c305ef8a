"""Deploy a CloudFormation template with local asset paths, by boto3 alone: no node, no CLI.

`sam deploy` and `aws cloudformation package` do the same for people. This one starts no program,
packs folders into zips that are equal byte for byte, and works against any endpoint that the
session points at: the embedded emulator, LocalStack, an account.
"""

import hashlib
import io
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import yaml
from botocore.exceptions import ClientError

from reflexarc.kernel.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

Template = dict[str, Any]

# The property of a resource that names a folder when the template has not been packaged.
_ASSET_PROPERTY = {"AWS::Lambda::Function": "Code", "AWS::Lambda::LayerVersion": "Content"}
_NOT_PACKED = frozenset({".pytest_cache", ".mypy_cache", ".ruff_cache"})
# Bytecode that `make layers` compiled on purpose says "hash-based, not checked against a source";
# what running the code left behind carries a time. https://peps.python.org/pep-0552/
_MADE_TO_SHIP = (0b01).to_bytes(4, "little")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_TEMPLATE_BODY_MAX = 51_200
# The earliest moment that the zip format can hold.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_READABLE_FILE = 0o100644 << 16
# us-east-1 is the one region that must not be named as a location.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
_UNNAMED_REGION = "us-east-1"
_DEPLOYED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
_GONE = "DELETE_COMPLETE"
_NOTHING_TO_DO = "No updates are to be performed"


class Clients(Protocol):
    """Makes clients for one endpoint: a boto3 session, or localstack-client's session."""

    def client(self, *args: Any, **kwargs: Any) -> Any:
        """Return the client of the service with this name."""


class _Services(NamedTuple):
    cloudformation: "CloudFormationClient"
    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    functions: "LambdaClient"


def deploy(
    session: Clients,
    template_path: Path,
    stack_name: str,
    parameters: Mapping[str, str],
    swaps: Mapping[str, str],
    *,
    timeout_s: float = 300,
) -> dict[str, str]:
    """Create or update the stack, wait until it stands, and return its outputs.

    `swaps` replaces asset paths as the template writes them, for example
    `{"../build/deps": "../build/deps-local"}` where the emulator runs this machine's Python.
    Raises Rejected with the failed resources, or Unavailable when time runs out.
    """
    services = _Services(
        session.client("cloudformation"),
        session.client("s3"),
        session.client("dynamodb"),
        session.client("lambda"),
    )
    template = read_template(template_path)
    bucket = _artifacts_bucket(services.s3, session, stack_name)
    _upload_assets(services.s3, bucket, template, template_path.parent, swaps)
    _submit(services, bucket, template, stack_name, parameters)
    stack = _settled(services.cloudformation, stack_name, timeout_s)
    if stack["StackStatus"] not in _DEPLOYED:
        raise Rejected(_failure(services.cloudformation, stack_name, stack["StackStatus"]))
    _fill_gaps(services, template, stack_name, parameters)
    return {
        output["OutputKey"]: output["OutputValue"]
        for output in stack.get("Outputs", [])
        if "OutputKey" in output and "OutputValue" in output
    }


def read_template(path: Path) -> Template:
    """Return a template whose functions are in their long form (`Fn::Join`), as ours are."""
    template = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(template, dict) or "Resources" not in template:
        raise Rejected(f"{path} is not a CloudFormation template: it has no Resources")
    return template


def zip_folder(folder: Path) -> bytes:
    """Return an archive of the folder that depends on names and contents alone."""
    packed = io.BytesIO()
    # Not compressed: an emulator reads the archive from memory, and unpacks it at each cold start.
    with zipfile.ZipFile(packed, "w") as archive:
        for name, path in _files(folder):
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.external_attr = _READABLE_FILE
            archive.writestr(entry, path.read_bytes())
    return packed.getvalue()


def _files(folder: Path) -> list[tuple[str, Path]]:
    files = sorted(
        (path.relative_to(folder).as_posix(), path)
        for path in folder.rglob("*")
        if path.is_file() and _ships(path, path.relative_to(folder).parts)
    )
    if not files:
        # CloudFormation takes an empty layer without a word, and every function then fails.
        raise Rejected(f"{folder} is empty or missing: run `make layers` first")
    return files


def _ships(path: Path, parts: tuple[str, ...]) -> bool:
    if path.suffix == ".pyc":
        return path.read_bytes()[4:8] == _MADE_TO_SHIP
    return not _NOT_PACKED.intersection(parts)


def _artifacts_bucket(s3: "S3Client", session: Clients, stack_name: str) -> str:
    account = session.client("sts").get_caller_identity()["Account"]
    name = f"{stack_name.lower()}-artifacts-{account}"
    region = s3.meta.region_name
    try:
        if region == _UNNAMED_REGION:
            s3.create_bucket(Bucket=name)
        else:
            s3.create_bucket(
                Bucket=name,
                CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]  # any region
            )
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass
    return name


def _upload_assets(
    s3: "S3Client", bucket: str, template: Template, root: Path, swaps: Mapping[str, str]
) -> None:
    uploaded: dict[str, str] = {}
    for resource in template["Resources"].values():
        name = _ASSET_PROPERTY.get(resource["Type"], "")
        folder = resource.get("Properties", {}).get(name)
        if not isinstance(folder, str):
            continue
        if folder not in uploaded:
            body = zip_folder((root / swaps.get(folder, folder)).resolve())
            uploaded[folder] = f"{hashlib.sha256(body).hexdigest()}.zip"
            s3.put_object(Bucket=bucket, Key=uploaded[folder], Body=body)
        resource["Properties"][name] = {"S3Bucket": bucket, "S3Key": uploaded[folder]}


def _submit(
    services: _Services,
    bucket: str,
    template: Template,
    stack_name: str,
    parameters: Mapping[str, str],
) -> None:
    request: dict[str, Any] = {
        "StackName": stack_name,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        **_template_argument(services.s3, bucket, template),
    }
    try:
        if _exists(services.cloudformation, stack_name):
            services.cloudformation.update_stack(**request)
        else:
            services.cloudformation.create_stack(**request)
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message", str(error))
        # CloudFormation has no code of its own for "the stack is already so".
        if _NOTHING_TO_DO not in message:
            raise Rejected(f"CloudFormation refused {stack_name}: {message}") from error


def _template_argument(s3: "S3Client", bucket: str, template: Template) -> dict[str, str]:
    body = yaml.safe_dump(template, sort_keys=False, width=10_000)
    if len(body.encode()) <= _TEMPLATE_BODY_MAX:
        return {"TemplateBody": body}
    key = f"{hashlib.sha256(body.encode()).hexdigest()}.template"
    s3.put_object(Bucket=bucket, Key=key, Body=body.encode())
    return {"TemplateURL": f"{s3.meta.endpoint_url}/{bucket}/{key}"}


def _exists(cloudformation: "CloudFormationClient", stack_name: str) -> bool:
    pages = cloudformation.get_paginator("list_stacks").paginate()
    return any(
        stack["StackName"] == stack_name and stack["StackStatus"] != _GONE
        for page in pages
        for stack in page["StackSummaries"]
    )


def _settled(
    cloudformation: "CloudFormationClient", stack_name: str, timeout_s: float
) -> "StackTypeDef":
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            return stack
        time.sleep(0.2)  # boto3's waiter polls every 30 s; the emulator is done in one
    raise Unavailable(f"stack {stack_name} is still not settled after {timeout_s:.0f} s")


def _failure(cloudformation: "CloudFormationClient", stack_name: str, status: str) -> str:
    events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
    failed = [
        f"  {event.get('LogicalResourceId')} ({event.get('ResourceType')}): "
        f"{event.get('ResourceStatusReason', 'no reason given')}"
        for event in reversed(events)
        if "FAILED" in event.get("ResourceStatus", "")
    ]
    return "\n".join([f"stack {stack_name} ended in {status}:", *failed])


def _fill_gaps(
    services: _Services, template: Template, stack_name: str, parameters: Mapping[str, str]
) -> None:
    """Set what the emulator's CloudFormation drops in silence; on AWS it is there already."""
    names = _physical_names(services.cloudformation, stack_name)
    for logical_id, resource in template["Resources"].items():
        properties, name = resource.get("Properties", {}), names.get(logical_id)
        if name is None:
            continue
        if resource["Type"] == "AWS::DynamoDB::Table":
            _fill_ttl(services.dynamodb, name, properties)
        elif resource["Type"] == "AWS::Lambda::Function":
            _fill_concurrency(services.functions, name, properties, parameters)


def _physical_names(cloudformation: "CloudFormationClient", stack_name: str) -> dict[str, str]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if "PhysicalResourceId" in resource
    }


def _fill_ttl(dynamodb: "DynamoDBClient", table: str, properties: Mapping[str, Any]) -> None:
    wanted = properties.get("TimeToLiveSpecification")
    if wanted is None:
        return
    found = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if found.get("TimeToLiveStatus", "DISABLED") == "DISABLED":
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)


def _fill_concurrency(
    functions: "LambdaClient",
    function: str,
    properties: Mapping[str, Any],
    parameters: Mapping[str, str],
) -> None:
    """Reserve what the template reserves: a number, or a parameter behind a condition."""
    wanted = properties.get("ReservedConcurrentExecutions")
    if isinstance(wanted, dict):
        _, chosen, _ = wanted.get("Fn::If", (None, {}, None))
        wanted = parameters.get(chosen.get("Ref", ""), "")
    if not str(wanted or "").isdigit() or int(str(wanted)) == 0:
        return
    found = functions.get_function_concurrency(FunctionName=function)
    if "ReservedConcurrentExecutions" not in found:
        functions.put_function_concurrency(
            FunctionName=function, ReservedConcurrentExecutions=int(str(wanted))
        )
