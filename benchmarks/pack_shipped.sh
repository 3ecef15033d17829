#!/usr/bin/env bash
# Packs the images that person-face-vehicle is trained on, under 45 MB beside the folder all: benchmarks/pack_shipped.sh DATA OUT
# DATA holds the datasets and models that docs/models.md names. What a set does not label is filled by an ensemble of teachers;
# near copies of images to evaluate on are left out. benchmarks/train_shipped.sh trains on OUT.
set -eu
data=$1 out=$2 models=$1/models
rename='rename=car,bus,truck,motorcycle:vehicle'
names=$models/yolox_nano_kazuhito/coco_classes.txt
ssd=$models/ssd_mobilenet_v1_coco
adas="$models/openvino_ir_omz/intel/face-detection-adas-0001/FP16/face-detection-adas-0001.xml?labels=face&lower=0.3&threshold=0.4&alone=0.7&weight=3"
teachers=(
  --pseudo "$models/yolox_nano_kazuhito/model/yolox_nano.onnx?$rename&lower=0.2&threshold=0.3&alone=0.5&weight=5"
  --pseudo "$models/fastestdet/example/onnx-runtime/FastestDet.onnx?labels=$names&$rename&lower=0.45&threshold=0.85&alone=0.95"
  --pseudo "$ssd/detect.tflite?labels=$ssd/labelmap.txt&$rename&lower=0.6&threshold=0.85&alone=0.97"
  --pseudo "$adas"
  --pseudo "$models/ultralight-face/models/onnx/version-RFB-320.onnx?labels=face&lower=0.6&threshold=0.8&alone=0.95"
)
sites='labels=Hardhat,Mask,NO-Hardhat,NO-Mask,NO-Safety Vest,Person,Safety Cone,Safety Vest,machinery,vehicle'
held=(
  --apart-from "$data/coco-subset/instances_val_first128.json"
  --apart-from "$data/construction-safety-320?split=valid&$sites"
  --apart-from "$data/facemask853?merge=face&group=@content&val_fraction=0.2&seed=0&split=val"
  --apart-from "$data/vehicles-topview-416?group=^([^_]+)_&val_fraction=0.2&seed=0&labels=vehicle&split=val"
  --apart-from "$data/mot15/TUD-Campus"
)

pack() { # NAME ADDRESS OPTION...
  local name=$1 address=$2
  shift 2
  python3 -m edgecnn data convert "$address" --classes person,face,vehicle --max-side 416 --image-format webp --quality 82 \
    "${held[@]}" --out "$out/$name" "$@"
}

pack coco "$data/coco-subset/instances_train2017_subset.json?$rename" "${teachers[@]}"
pack faces "$data/facemask853?merge=face&group=@content&val_fraction=0.2&seed=0&split=train" "${teachers[@]}"
pack sites "$data/construction-safety-320?split=train&list=$data/construction-safety-320/train_x1.txt&$sites&ignore=machinery:vehicle" \
  "${teachers[@]}"
pack vehicles "$data/vehicles-topview-416?group=^([^_]+)_&val_fraction=0.2&seed=0&labels=vehicle&split=train" "${teachers[@]}"
pack entrance "$data/videos/intel-sample-videos/one-by-one-person-detection.mp4?every=10" "${teachers[@]}"
# cars seen from straight above: YOLOX-nano finds them but takes them for phones, bottles and buses, and nothing else is there
things='cell phone,car,bus,truck,motorcycle,remote,bottle,cup,boat,train,suitcase,skateboard,mouse,toilet,sink,refrigerator,sports ball,airplane,parking meter,laptop'
pack traffic "$data/videos/intel-sample-videos/car-detection.mp4?every=5" \
  --pseudo "$models/yolox_nano_kazuhito/model/yolox_nano.onnx?rename=$things:vehicle&lower=0.1&threshold=0.3" --pseudo "$adas"

# all of them once more as one dataset, for calibration and the reference profile; training does not need it
python3 -m edgecnn data convert "$out"/coco "$out"/faces "$out"/vehicles "$out"/sites "$out"/entrance "$out"/traffic \
  --classes person,face,vehicle --max-side 416 --image-format webp --quality 90 --out "$out/all"
