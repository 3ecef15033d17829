#!/usr/bin/env bash
# Trains the networks that ship, side by side on one GPU, each for as many epochs as fit into the time:
#   benchmarks/train_shipped.sh DATA OUT MINUTES [JOB...]
# DATA holds fashion-mnist and what benchmarks/pack_shipped.sh wrote: faces, vehicles, sites, coco, entrance, traffic.
# Run again with the same OUT it resumes what was stopped. Weights are scored elsewhere, so that no second of the GPU goes into it.
set -u
data=$1 out=$2 minutes=$3
shift 3
jobs="${*:-fashion-m cups pose segment pfv-s pfv-m vehicles faces}"
workers=${WORKERS:-$(nproc)}
mkdir -p "$out"

train() { # NAME MINUTES COMMAND...
  local name=$1 limit=$2 resume=
  shift 2
  if [ -f "$out/$name/state.pt" ] || [ -f "$out/$name/run.json" ]; then resume=--resume; fi
  python3 -m edgecnn "$@" --out "$out/$name" --max-minutes "$limit" $resume >"$out/$name.log" 2>&1
}

sets() { # the addresses of --data and the classes
  local name
  for name in "$@"; do printf -- '--data %s ' "$data/$name"; done
}

FASHION='--batch 512 --lr 0.006 --weight-decay 0.05 --val-fraction 0 --ema 0.999'
DETECT='--val-fraction 0 --ema 0.999 --weight-decay 0.05'
SCENES='scene:cups?seed=101&count=6000&size=320x240&fps=1&cut=1'
HARD='scene:cups?seed=102&count=2000&size=320x240&fps=1&cut=1&rotate=30&occlude=0.7&light=0.7&objects=8&vary=0.3'
DENSE="--size 192x256 --model-option widths=24,48,80,144,208 --model-option neck=64 --batch 128 --lr 0.005 --seed 1 --val-fraction 0 --multiscale-fraction 0 --workers $workers"

job() {
  local half
  case $1 in
  fashion-m)
    half=$(python3 -c "print($minutes / 2)")
    train fashion-m "$half" train resnet-m --name fashion-resnet-m --data "$data/fashion-mnist" --epochs 300 $FASHION \
      --augment 'standard?brightness=0&erase=0.5&mixup=0.3' --seed 1
    train fashion-xs "$(python3 -c "print($half - 0.3)")" compress --student resnet-xs --teacher "$out/fashion-m/model.safetensors" \
      --name fashion-resnet-xs --data "$data/fashion-mnist" --epochs 300 $FASHION --augment 'standard?brightness=0&erase=0.3' \
      --seed 3 --measure none
    ;;
  cups)
    train cups "$minutes" train edgedet --name cups --data 'scene:cups?seed=1&count=12000&size=320x240&fps=1&cut=1' \
      --data 'scene:cups?seed=2&count=4000&size=320x240&fps=1&cut=1&rotate=45&occlude=0.7&light=0.8&noise=0.6&blur=0.6&objects=8&vary=0.3' \
      --data 'scene:cups?seed=3&count=4000&fps=1&cut=1&vary=0.2' --epochs 60 --batch 128 --lr 0.004 --seed 1 \
      --multiscale-fraction 0.25 $DETECT --workers "$workers"
    ;;
  pose)
    train pose "$minutes" train edgepose --name cups-pose --data "$SCENES" --data "$HARD" --epochs 150 $DENSE \
      --augment 'standard?rotate=8&shift=0.1'
    ;;
  segment)
    train segment "$minutes" train edgeseg --name cups-segment --data "$SCENES" --data "$HARD" --epochs 150 $DENSE \
      --augment 'standard?rotate=8&shift=0.1'
    ;;
  pfv-s)
    train pfv-s "$minutes" train edgedet-s --name person-face-vehicle $(sets faces vehicles sites coco entrance traffic) \
      --classes person,face,vehicle --size 320x320 --epochs 600 --batch 128 --lr 0.004 --seed 1 --multiscale-fraction 0 $DETECT \
      --augment 'strong?mosaic=0.6&mixup=0.1&rotate=5' --init person-face-vehicle
    ;;
  pfv-m)
    train pfv-m "$minutes" train edgedet-m --name person-face-vehicle-m --model-option depths=2,3,4,3 \
      $(sets faces vehicles sites coco entrance traffic) --classes person,face,vehicle --size 416x416 --epochs 400 --batch 64 --lr 0.002 \
      --seed 1 --multiscale-fraction 0.3 $DETECT --augment 'strong?mosaic=0.6&mixup=0.1&rotate=5' --init person-face-vehicle
    ;;
  vehicles)
    train vehicles "$(python3 -c "print($minutes * 0.6)")" train edgedet --name vehicles --data "$data/vehicles?classes=vehicle" \
      --size 416x416 --epochs 500 --batch 64 --lr 0.003 --seed 1 --multiscale-fraction 0 $DETECT --augment 'strong?flip_vertical=0.5&rotate=20' \
      --init person-face-vehicle
    ;;
  faces)
    train faces "$(python3 -c "print($minutes * 0.6)")" train edgedet --name faces --data "$data/faces?classes=face" --size 512x512 \
      --epochs 500 --batch 64 --lr 0.003 --seed 1 --multiscale-fraction 0.3 $DETECT --augment 'strong?mosaic=0.6&rotate=10' \
      --init person-face-vehicle
    ;;
  *) echo "no job $1" >&2 ;;
  esac
}

for name in $jobs; do job "$name" & done
wait
