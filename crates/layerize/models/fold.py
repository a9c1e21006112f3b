#!/usr/bin/env python3
"""Folds what a network does to every value alike into the convolutions beside it.

    fold.py FROM.onnx TO.onnx

The published text detector carries the affine steps of its training as operators of their own, and activations
spelled out in four. Each of them reads and writes all values once more. What is folded, none of which changes the
function but for rounding:

- Mul and Add of constants, and BatchNormalization, behind a convolution go into its weights and bias.
- x * Clip(x + 3, 0, 6) / 6 becomes HardSwish.
- Mul and Add of one constant each in front of convolutions go into these where they pad nothing; where one pads,
  the factor does, and the Add stays, since padding is not moved by it.

Needs the packages onnx and numpy. Values that the output does not depend on are left out.
"""

import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Graph:
    """The nodes in order, and the constants by name."""

    def __init__(self, model):
        self.model = model
        self.constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        self.nodes = []
        for node in model.graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            else:
                self.nodes.append(node)
        self.outputs = {one.name for one in model.graph.output}

    def users(self, name):
        return [node for node in self.nodes if name in node.input]

    def sole_user(self, name):
        """The one node that takes a value which is no output, or None."""
        users = self.users(name)
        if name in self.outputs or len(users) != 1 or list(users[0].input).count(name) != 1:
            return None
        return users[0]

    def drop(self, *nodes):
        gone = {id(node) for node in nodes}
        self.nodes = [node for node in self.nodes if id(node) not in gone]

    def constant_beside(self, node, value):
        """The constant that a Mul or Add joins with a value, in double precision, or None."""
        others = [name for name in node.input if name != value]
        if len(others) != 1 or others[0] not in self.constants:
            return None
        return self.constants[others[0]].astype(np.float64)

    def saved(self):
        graph = self.model.graph
        used = {name for node in self.nodes for name in node.input}
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        kept = sorted(used & self.constants.keys())
        graph.initializer.extend(numpy_helper.from_array(self.constants[name], name) for name in kept)
        if any(node.op_type == "HardSwish" for node in self.nodes):
            # It came with version 14.
            self.model.opset_import[0].version = max(self.model.opset_import[0].version, 14)
        inputs = [one for one in graph.input if one.name not in self.constants]
        del graph.input[:]
        graph.input.extend(inputs)
        self.model.doc_string = "Changed from the published model: folded by fold.py of lamina."
        return self.model


def attribute(node, name, default):
    for one in node.attribute:
        if one.name == name:
            return helper.get_attribute_value(one)
    return default


def by_channel(values, channels):
    """A constant as one number for each channel of an image, or None where it is not one."""
    if values.size == 1:
        return np.full(channels, values.reshape(()))
    if values.size == channels and values.ndim in (3, 4) and values.shape[-3] == channels:
        return values.reshape(channels)
    return None


class Weights:
    """The weights of a Conv or ConvTranspose in double precision, and where its channels are."""

    def __init__(self, graph, node):
        self.graph, self.node = graph, node
        self.values = graph.constants[node.input[1]].astype(np.float64)
        self.transposed = node.op_type == "ConvTranspose"
        self.groups = attribute(node, "group", 1)
        self.channels = self.values.shape[1] * self.groups if self.transposed else self.values.shape[0]
        has_bias = len(node.input) > 2 and node.input[2]
        self.bias = graph.constants[node.input[2]].astype(np.float64) if has_bias else np.zeros(self.channels)

    def can_be_folded_behind(self):
        return not (self.transposed and self.groups > 1)

    def scale_out(self, factor, offset):
        shape = [1] * self.values.ndim
        shape[1 if self.transposed else 0] = self.channels
        self.values *= factor.reshape(shape)
        self.bias = self.bias * factor + offset

    def pads(self):
        if self.transposed or attribute(self.node, "auto_pad", b"NOTSET") != b"NOTSET":
            return True
        return any(attribute(self.node, "pads", [0]))

    def add_in(self, offset):
        """What a constant added to all that comes in comes to; nothing may be padded."""
        self.bias = self.bias + offset * self.values.reshape(self.channels, -1).sum(axis=1)

    def scale_in(self, factor):
        self.values *= factor

    def write(self):
        node = self.node
        stem = node.output[0]
        self.graph.constants[stem + ".w"] = self.values.astype(np.float32)
        self.graph.constants[stem + ".b"] = self.bias.astype(np.float32)
        inputs = [node.input[0], stem + ".w", stem + ".b"]
        del node.input[:]
        node.input.extend(inputs)


def convolutions(graph):
    kinds = ("Conv", "ConvTranspose")
    return [node for node in graph.nodes if node.op_type in kinds and node.input[1] in graph.constants]


def affine(graph, node, value, channels):
    """Factor and offset of a Mul, Add or BatchNormalization of constants, or None."""
    if node.op_type == "BatchNormalization":
        scale, bias, mean, variance = (graph.constants[name].astype(np.float64) for name in node.input[1:5])
        factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
        return factor, bias - mean * factor
    if node.op_type not in ("Mul", "Add"):
        return None
    constant = graph.constant_beside(node, value)
    numbers = None if constant is None else by_channel(constant, channels)
    if numbers is None:
        return None
    return (numbers, np.zeros(channels)) if node.op_type == "Mul" else (np.ones(channels), numbers)


def fold_behind(graph):
    for node in convolutions(graph):
        weights = Weights(graph, node)
        if not weights.can_be_folded_behind():
            continue
        while (user := graph.sole_user(node.output[0])) is not None:
            step = affine(graph, user, node.output[0], weights.channels)
            if step is None:
                break
            weights.scale_out(*step)
            node.output[0] = user.output[0]
            graph.drop(user)
        weights.write()


def is_scalar(graph, node, value, wanted):
    constant = graph.constant_beside(node, value)
    return constant is not None and constant.size == 1 and constant.reshape(()) == wanted


def join_hard_swish(graph):
    for clip in [node for node in graph.nodes if node.op_type == "Clip"]:
        bounds = [float(graph.constants[name].reshape(())) for name in clip.input[1:3]]
        plus = next((node for node in graph.nodes if node.output[0] == clip.input[0]), None)
        times = graph.sole_user(clip.output[0])
        if bounds != [0.0, 6.0] or plus is None or plus.op_type != "Add" or times is None or times.op_type != "Mul":
            continue
        value = next((name for name in plus.input if name not in graph.constants), None)
        by = graph.sole_user(times.output[0])
        if value is None or value not in times.input or not is_scalar(graph, plus, value, 3.0):
            continue
        if by is None or by.op_type != "Div" or not is_scalar(graph, by, times.output[0], 6.0):
            continue
        by.op_type = "HardSwish"
        del by.input[:]
        by.input.append(value)
        graph.drop(plus, clip, times)


def fold_in_front(graph):
    for times in [node for node in graph.nodes if node.op_type == "Mul"]:
        value = next((name for name in times.input if name not in graph.constants), None)
        factor = None if value is None else graph.constant_beside(times, value)
        plus = graph.sole_user(times.output[0])
        if factor is None or factor.size != 1 or plus is None or plus.op_type != "Add":
            continue
        offset = graph.constant_beside(plus, times.output[0])
        made = plus.output[0]
        users = graph.users(made)
        known = {id(node) for node in convolutions(graph)}
        if offset is None or offset.size != 1 or made in graph.outputs:
            continue
        if not users or any(id(user) not in known or user.input[0] != made for user in users):
            continue
        factor, offset = float(factor.reshape(())), float(offset.reshape(()))
        shifted = None
        for user in users:
            weights = Weights(graph, user)
            if weights.pads():
                shifted = made
            else:
                weights.add_in(offset)
                user.input[0] = value
            weights.scale_in(factor)
            weights.write()
        graph.drop(times) if shifted else graph.drop(times, plus)
        if shifted:
            # s x + b is s (x + b / s), and the factor is in the weights.
            name = made + ".offset"
            graph.constants[name] = np.array([offset / factor], np.float32)
            del plus.input[:]
            plus.input.extend([value, name])


def main():
    source, target = sys.argv[1:]
    graph = Graph(onnx.load(source))
    fold_behind(graph)
    join_hard_swish(graph)
    fold_in_front(graph)
    model = graph.saved()
    onnx.checker.check_model(model)
    onnx.save(model, target)


if __name__ == "__main__":
    main()
