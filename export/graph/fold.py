"""Fold BatchNorm into the preceding convolutions, so that a deployed graph has none."""

import copy
from collections import Counter

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from retinagan.runtime.errors import ModelError

_Convolution = nn.Conv2d | nn.ConvTranspose2d


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """
    Fold each BatchNorm of a network into the convolution whose output it normalises.

    A convolution that several BatchNorms share, one per time step of a recurrent layer, becomes one
    convolution per step. The products are taken in float64 and rounded once, so that the folded network
    differs from the first by float32's rounding alone.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode; left unchanged.

    Returns
    -------
    torch.nn.Module
        A copy without any `BatchNorm2d`, in eval mode.

    Raises
    ------
    ModelError
        If the network is in training mode, or a BatchNorm does not follow a convolution of its module.
    """
    if network.training:
        raise ModelError(
            "got a network in training mode; BatchNorm folds only in eval mode: call .eval() first"
        )
    folded = copy.deepcopy(network)
    names = [name for name, module in folded.named_modules() if isinstance(module, nn.BatchNorm2d)]
    owners = {_owner(folded, name) for name in names}
    for owner in sorted(owners, key=lambda name: (-name.count("."), name)):
        traced = _fold_module(folded.get_submodule(owner), owner)
        if not owner:
            return traced
        folded.set_submodule(owner, traced)
    return folded


def _owner(network: nn.Module, name: str) -> str:
    """Return the name of the module whose `forward` calls module `name`, past lists and dictionaries."""
    while name:
        name = name.rpartition(".")[0]
        if not isinstance(network.get_submodule(name), nn.ModuleList | nn.ModuleDict):
            break
    return name


def _fold_module(module: nn.Module, name: str) -> fx.GraphModule:
    """Fold within one module, traced alone: shape checks in the modules around it cannot be traced."""
    traced = fx.symbolic_trace(module)
    calls = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    steps: Counter[str] = Counter()
    for node in list(traced.graph.nodes):
        normalisation = _called(traced, node)
        if not isinstance(normalisation, nn.BatchNorm2d):
            continue
        source = node.args[0]
        convolution = _called(traced, source)
        if not isinstance(convolution, _Convolution) or len(source.users) > 1:
            where = ".".join(part for part in (name, str(node.target)) if part)
            raise ModelError(
                f"the BatchNorm {where} does not normalise the output of one convolution and cannot be "
                "folded: place it directly after a convolution"
            )
        target = str(source.target)
        if calls[target] > 1:
            target = f"{target}_step{steps[target]}"
            steps[str(source.target)] += 1
        traced.set_submodule(target, _fused(convolution, normalisation))
        source.target = target
        node.replace_all_uses_with(source)
        traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _called(traced: fx.GraphModule, node: object) -> nn.Module | None:
    if isinstance(node, fx.Node) and node.op == "call_module":
        return traced.get_submodule(str(node.target))
    return None


def _fused(convolution: _Convolution, normalisation: nn.BatchNorm2d) -> nn.Module:
    """Make the convolution that computes the normalised output directly."""
    if normalisation.running_mean is None or normalisation.running_var is None:
        raise ModelError(
            "a BatchNorm without running statistics cannot be folded: use track_running_stats=True"
        )
    fused = copy.deepcopy(convolution)
    exact, statistics = copy.deepcopy(convolution).double(), copy.deepcopy(normalisation).double()
    weight, bias = fuse_conv_bn_weights(
        exact.weight,
        exact.bias,
        statistics.running_mean,  # type: ignore[arg-type]
        statistics.running_var,  # type: ignore[arg-type]
        statistics.eps,
        statistics.weight,
        statistics.bias,
        transpose=isinstance(convolution, nn.ConvTranspose2d),
    )
    fused.weight = nn.Parameter(weight.detach().to(convolution.weight.dtype), requires_grad=False)
    fused.bias = nn.Parameter(bias.detach().to(convolution.weight.dtype), requires_grad=False)
    return fused
