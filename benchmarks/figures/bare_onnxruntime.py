"""The baseline of coldstart: a script with ONNX Runtime alone that reads, letterboxes, runs, decodes, suppresses and prints.

``python bare_onnxruntime.py MODEL.onnx IMAGE`` for a detector that edgecnn exported: uint8 NHWC BGR in, boxes in strides and scores out.
"""

import sys

import cv2
import numpy as np
import onnxruntime as ort

session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
node = session.get_inputs()[0]
height, width = node.shape[1:3]

image = cv2.imread(sys.argv[2])
assert image is not None
ratio = min(width / image.shape[1], height / image.shape[0])
new_w, new_h = round(image.shape[1] * ratio), round(image.shape[0] * ratio)
left, top = (width - new_w) // 2, (height - new_h) // 2
canvas = np.full((height, width, 3), 114, np.uint8)
canvas[top : top + new_h, left : left + new_w] = cv2.resize(image, (new_w, new_h))

boxes, scores = session.run(["boxes", "scores"], {node.name: canvas[None]})

corners, strides = [], []
for stride in (8, 16, 32):
    rows, columns = height // stride, width // stride
    y, x = np.mgrid[:rows, :columns] * stride
    corners.append(np.stack([x, y], 2).reshape(-1, 2) + stride / 2)
    strides.append(np.full(rows * columns, stride))
centre, scale = np.concatenate(corners), np.concatenate(strides)[:, None]
sides = boxes[0] * scale
low, high = centre - sides[:, :2], centre + sides[:, 2:]
class_id, score = scores[0].argmax(1), scores[0].max(1)
size = high - low
kept = cv2.dnn.NMSBoxes(np.concatenate([low, size], 1).tolist(), score.tolist(), 0.25, 0.6)
for index in np.array(kept).reshape(-1):
    corner = (np.concatenate([low[index], high[index]]) - [left, top] * 2) / ratio
    print(int(class_id[index]), round(float(score[index]), 2), corner.round().astype(int).tolist(), flush=True)
print("done", flush=True)
