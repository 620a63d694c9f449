"""ROS parameters from a settings model: declared with its descriptions, defaults and ranges, checked by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from edgefuse.runtime import EdgefuseError
from edgefuse.runtime.errors import first_fault
from edgefuse_ros.settings import Settings

M = TypeVar("M", bound=Settings)
_ENDLESS = 1e18


class ParameterError(EdgefuseError):
    """A parameter that cannot take a value, or not now; the message names it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One parameter: `name` is the path of its field in the model, joined by dots."""

    name: str
    field: FieldInfo

    @property
    def live(self) -> bool:
        """Whether it may change while the node is configured or active."""
        extra = self.field.json_schema_extra
        return isinstance(extra, dict) and bool(extra.get("live"))

    @property
    def default(self) -> Any:
        """As ROS has it: a list of no texts is a list of one empty text, since rclpy takes [] for bytes."""
        return _ros_value(self.field.default)

    @property
    def descriptor(self) -> ParameterDescriptor:
        """Description, range, and when it may change."""
        when = "at any time" if self.live else "only while the node is unconfigured"
        choices = get_args(self.field.annotation) if get_origin(self.field.annotation) is Literal else ()
        said = f"one of {', '.join(choices)}; " if choices else ""
        descriptor = ParameterDescriptor(description=self.field.description or "")
        descriptor.additional_constraints = f"{said}may change {when}"
        low: Any = next((bound.ge for bound in self.field.metadata if isinstance(bound, Ge)), None)
        high: Any = next((bound.le for bound in self.field.metadata if isinstance(bound, Le)), _ENDLESS)
        if isinstance(low, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=float(high))]
        elif isinstance(low, int):
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=int(high), step=1)]
        return descriptor


class Parameters(Generic[M]):
    """A node's parameters of one model."""

    def __init__(self, node: Node, model: type[M]) -> None:
        """Raises ParameterError for a value, given at the start, that ROS itself refuses."""
        self._node = node
        self._model = model
        self._entries = {entry.name: entry for entry in entries(model)}
        try:
            for entry in self._entries.values():
                node.declare_parameter(entry.name, entry.default, entry.descriptor)
        except ParameterException as error:  # of another type, or out of its range
            raise ParameterError(str(error)) from error

    def read(self) -> M:
        """As they are now; raises ParameterError."""
        return self.changed({})

    def changed(self, changes: Mapping[str, Any]) -> M:
        """As they would be with `changes`; raises ParameterError that names what cannot be."""
        values: dict[str, Any] = {}
        for name in self._entries:
            value = changes[name] if name in changes else self._node.get_parameter(name).value
            _put(values, name.split("."), _python_value(value))
        try:
            return self._model.model_validate(values)
        except ValidationError as error:
            raise ParameterError(first_fault(error)) from error

    def ours(self, parameters: Iterable[Parameter[Any]]) -> dict[str, Any]:
        """Name and value of those that are declared from the model and differ from what they are."""
        named = {one.name: one.value for one in parameters if one.name in self._entries}
        return {name: value for name, value in named.items() if value != self._node.get_parameter(name).value}

    def check_live(self, changes: Iterable[str]) -> None:
        """Raises ParameterError for one that may not change now that the node is configured."""
        for name in changes:
            if not self._entries[name].live:
                raise ParameterError(f"{name} may change only while the node is unconfigured: call cleanup first")


def entries(model: type[BaseModel], prefix: str = "") -> Iterator[Entry]:
    """Every field of a model and of the models in it."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from entries(field.annotation, f"{prefix}{name}.")
        else:
            yield Entry(prefix + name, field)


def _ros_value(value: Any) -> Any:
    return value if value != [] else [""]


def _python_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [] if list(value) == [""] else list(value)
    return value


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value
