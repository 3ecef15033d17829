"""Finds what is on a picture and draws it: python examples/detect_image.py [PICTURE] [MODEL] [OUT.png]"""

import sys

import cv2

import edgecnn

picture, model, out = (sys.argv[1:] + ["scene:cups?seed=42", "cups", "found.png"][len(sys.argv) - 1 :])[:3]
image = next(iter(edgecnn.open_source(picture))).image  # a file that is no image is named in the error
with edgecnn.Detector(model) as detector:
    found = detector(image)
for box, score, class_id in zip(found.xyxy, found.score, found.class_id, strict=True):
    print(f"{detector.labels[class_id]:10} {score:.2f}  {box.round().astype(int).tolist()}")
frame = edgecnn.Frame(0, 0.0, image)
cv2.imwrite(out, edgecnn.Painter(detector.labels).paint(edgecnn.Result(frame, found, {}, 0.0)))
