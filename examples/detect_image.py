"""Finds what is on a picture and draws it: python examples/detect_image.py [MODEL] [PICTURE] [OUT.png]"""

import sys

import cv2

import edgecnn

model, picture, out = (sys.argv[1:] + ["cups", "", "found.png"][len(sys.argv) - 1 :])[:3]
image = cv2.imread(picture) if picture else next(iter(edgecnn.open_source("scene:cups?seed=42"))).image
with edgecnn.Detector(model) as detector:
    found = detector(image)
for box, score, class_id in zip(found.xyxy, found.score, found.class_id, strict=True):
    print(f"{detector.labels[class_id]:10} {score:.2f}  {box.round().astype(int).tolist()}")
frame = edgecnn.Frame(0, 0.0, image)
cv2.imwrite(out, edgecnn.Painter(detector.labels).paint(edgecnn.Result(frame, found, {}, 0.0)))
