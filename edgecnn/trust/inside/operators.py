"""What the operators of ONNX, TFLite, OpenVINO and PyTorch do with places, by their names in lower case without underscores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgecnn.trust.inside.graph import NodeKind


def _table(**words: str) -> dict[str, NodeKind]:
    kinds: dict[str, NodeKind] = {
        "conv": "conv",
        "transposed": "transposed conv",
        "max_pool": "max pool",
        "average_pool": "average pool",
        "pad": "pad",
        "resize": "resize",
        "slice": "slice",
        "activation": "activation",
        "quantize": "quantize",
        "same": "same",
        "total": "sum",
        "product": "product",
        "join": "join",
        "shape": "shape",
        "whole": "whole",
    }
    return {word: kinds[kind] for kind, text in words.items() for word in text.split()}


KINDS: Final[Mapping[str, NodeKind]] = _table(
    conv="conv conv2d convolution groupconvolution depthwiseconv2d fusedconv conv2dbias",
    transposed="convtranspose transposeconv convolutionbackpropdata groupconvolutionbackpropdata",
    max_pool="maxpool maxpool2d maxpool2dwithindices",
    average_pool="averagepool avgpool averagepool2d avgpool2d",
    pad="pad padv2 mirrorpad constantpadnd reflectionpad2d replicationpad2d",
    resize="resize upsample interpolate resizebilinear resizenearestneighbor upsamplenearest2d upsamplebilinear2d "
    "upsamplenearestexact2d",
    slice="slice stridedslice split splitv variadicsplit splitwithsizes narrow select gather index unpack crop",
    activation="relu relu6 relun1to1 relu0to1 clip clamp clampmin sigmoid logistic tanh hardswish hardsigmoid hsigmoid hswish leakyrelu "
    "prelu elu selu celu gelu mish softplus swish silu hardtanh softsign",
    quantize="quantizelinear dequantizelinear quantize dequantize fakequantize fakequantizepertensoraffine fakequantizeperchannelaffine "
    "fakequantizepertensoraffinecachemask fakequantizeperchannelaffinecachemask fakequantizelearnablepertensoraffine "
    "dynamicquantizelinear",
    same="cast convert identity batchnormalization batchnorminference nativebatchnorm nativebatchnormlegitnotraining cudnnbatchnorm "
    "batchnorm dropout abs neg negative sqrt exp log pow power instancenormalization groupnormalization nativegroupnorm "
    "layernormalization nativelayernorm l2normalization lrn normalizel2 clone contiguous detach alias copy tocopy floor round erf square "
    "rsqrt reciprocal convertlike localresponsenorm",
    total="add sum sub subtract addn maximum minimum max min",
    product="mul multiply div divide",
    join="concat concatenation cat",
    shape="reshape transpose permute squeeze unsqueeze expanddims flatten view unsafeview expand tile broadcastto broadcast depthtospace "
    "spacetodepth pixelshuffle pixelunshuffle shufflechannels stack pack t",
    whole="matmul gemm fullyconnected linear addmm mm bmm baddbmm batchmatmul einsum softmax globalaveragepool globalmaxpool "
    "mean reducemean reducemax reducesum meandim adaptiveavgpool2d adaptivemaxpool2d attention scaleddotproductattention",
)
UNKNOWN: Final[NodeKind] = "same"


def kind_of(word: str) -> NodeKind:
    """What an operator does; one that is not known is taken as working at each place by itself."""
    plain = word.lower().replace("_", "").replace("qlinear", "")
    return KINDS.get(plain, UNKNOWN)


def reduces(word: str) -> bool:
    """Whether an operator averages or takes the highest over axes, which need not be those of places."""
    return word.lower().replace("_", "").startswith(("reduce", "mean"))
