"""The few messages of the kubelet's pod-resources API, v1, made when they are first needed.

https://github.com/kubernetes/kubelet/blob/master/pkg/apis/podresources/v1/api.proto. Fields that
are not named here are skipped by protobuf.
"""

from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

METHOD = "/v1.PodResourcesLister/List"
_STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_MESSAGE = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
_ONE = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
_MANY = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
# Message -> fields: name, number, one or many, type of message if it is one.
_MESSAGES: dict[str, tuple[tuple[str, int, Any, str], ...]] = {
    "ListPodResourcesRequest": (),
    "ListPodResourcesResponse": (("pod_resources", 1, _MANY, "PodResources"),),
    "PodResources": (
        ("name", 1, _ONE, ""),
        ("namespace", 2, _ONE, ""),
        ("containers", 3, _MANY, "ContainerResources"),
    ),
    "ContainerResources": (("name", 1, _ONE, ""), ("devices", 2, _MANY, "ContainerDevices")),
    "ContainerDevices": (("resource_name", 1, _ONE, ""), ("device_ids", 2, _MANY, "")),
}


class Wire(NamedTuple):
    """The classes of the request and of the response."""

    request: Any
    response: Any


def messages() -> Wire:
    """Return the message classes, in a pool of their own: another library may know the same."""
    file = descriptor_pb2.FileDescriptorProto(
        name="reflexarc/podresources.proto", package="v1", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, label, of in fields:
            message.field.add(
                name=field,
                number=number,
                label=label,
                type=_MESSAGE if of else _STRING,
                type_name=f".v1.{of}" if of else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)

    def class_of(name: str) -> Any:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"v1.{name}"))

    return Wire(class_of("ListPodResourcesRequest"), class_of("ListPodResourcesResponse"))
