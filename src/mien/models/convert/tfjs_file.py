"""Read a TensorFlow.js graph model: ``model.json`` and the weights beside it.

``modelTopology`` is TensorFlow's GraphDef as JSON (bytes in base64, integers as strings);
``weightsManifest`` lists the constants in the order in which their numbers follow one another.
Source: ``tfjs-core/src/io/types.ts`` and ``io_utils.ts`` (``decodeWeights``).
"""

# ruff: noqa: ANN401  (attributes may hold anything)
from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConversionError

__all__ = ["Graph", "Node", "Port", "read_graph"]

_TYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "u1", "uint16": "<u2"}


@dataclass(frozen=True, slots=True)
class Node:
    """An operation; ``inputs`` are names of nodes, ``attributes`` are decoded."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Port:
    """An input of the net: a node's name and its shape, -1 where it is free."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A net: nodes in an order in which they can be computed, constants and outputs by name."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]


def read_graph(document: bytes, weights: bytes) -> Graph:
    """The net.

    Args:
        document: ``model.json``.
        weights: the one file that its manifest names.

    Raises:
        ConversionError: not a graph model, or the weights are not its own.
    """
    try:
        model = json.loads(document)
        if model["format"] != "graph-model":
            raise ConversionError("The TensorFlow.js file is not a graph model.")
        nodes = [_node(node) for node in model["modelTopology"]["node"]]
        constants = _constants(model["weightsManifest"], weights)
        inputs = [
            Port(node.name, _shape(node.attributes["shape"]))
            for node in nodes
            if node.op == "Placeholder"
        ]
        ordered = _sorted(nodes, constants)
        return Graph(ordered, constants, tuple(inputs), _outputs(model.get("signature"), ordered))
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise ConversionError(
            f"The file is not a TensorFlow.js graph model ({type(error).__name__})."
        ) from error


def _node(node: Mapping[str, Any]) -> Node:
    attributes = {key: _attribute(value) for key, value in node.get("attr", {}).items()}
    inputs = tuple(_name(name) for name in node.get("input", []) if not name.startswith("^"))
    return Node(node["name"], node["op"], inputs, attributes)


def _name(reference: str) -> str:
    """``node`` of ``node:0``; only first outputs are known here."""
    name, _, port = reference.partition(":")
    if port not in ("", "0"):
        raise ConversionError(f"The net uses a further output of a node, {reference}.")
    return name


def _attribute(value: Mapping[str, Any]) -> Any:
    """A GraphDef ``AttrValue``: a bytes, int, float, bool, list or something not needed."""
    if "list" in value:
        return [_attribute({kind: v}) for kind, many in value["list"].items() for v in many]
    if "s" in value:
        return base64.b64decode(value["s"]).decode()
    if "i" in value:
        return int(value["i"])
    return next(iter(value.values()), None)


def _shape(shape: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(dim["size"]) for dim in shape.get("dim", []))


def _outputs(signature: Any, nodes: Sequence[Node]) -> tuple[str, ...]:
    """The outputs that the signature names, in its order; without one, what no node takes."""
    if signature:
        return tuple(_name(port["name"]) for port in signature["outputs"].values())
    taken = {name for node in nodes for name in node.inputs}
    return tuple(node.name for node in nodes if node.name not in taken)


def _constants(manifest: list[Any], weights: bytes) -> dict[str, NDArray[Any]]:
    if [len(group["paths"]) for group in manifest] != [1]:
        raise ConversionError("The net's weights are in several files, where one is known.")
    constants, at = {}, 0
    for entry in manifest[0]["weights"]:
        facts = entry.get("quantization", {})
        stored = np.dtype(_TYPES[facts.get("dtype", entry["dtype"])])
        count = prod(entry["shape"])
        array = np.frombuffer(weights, stored, count, at).reshape(entry["shape"])
        at += count * stored.itemsize
        if "scale" in facts:
            array = array * np.float32(facts["scale"]) + np.float32(facts["min"])
        constants[entry["name"]] = array.astype(_TYPES[entry["dtype"]])
    if at != len(weights):
        raise ConversionError("The weights are not of the length that the net says.")
    return constants


def _sorted(nodes: list[Node], constants: Mapping[str, Any]) -> tuple[Node, ...]:
    """The nodes that compute something, each behind those that it needs."""
    waiting = [node for node in nodes if node.op not in ("Const", "Placeholder")]
    known = {*constants, *(node.name for node in nodes if node.op == "Placeholder")}
    ordered: list[Node] = []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.inputs)]
        if not ready:
            raise ConversionError(f"The net's node {waiting[0].name} has an input that is nowhere.")
        ordered += ready
        known |= {node.name for node in ready}
        waiting = [node for node in waiting if node.name not in known]
    return tuple(ordered)
