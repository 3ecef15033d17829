"""The options of `edgecnn run` in groups. Names, types and defaults come from the configuration classes, which know nothing of click."""

from __future__ import annotations

from typing import Any

from click_option_group import OptionGroup

from edgecnn.cli.options import MODEL_OPTIONS, Command, add_options, config_option

OptionHelp = tuple[str, str, dict[str, Any]]  # an option, its help, further arguments of click

GROUPS: tuple[tuple[str, tuple[OptionHelp, ...]], ...] = (
    (
        "Cameras",
        (
            (
                "source",
                "Camera number or device, rtsp:// or http:// address, video, image, folder, 'images/*.jpg', - for standard input, or "
                "scene:cups. May be repeated. ${NAME} in it is taken from the environment; EDGECNN_SOURCE keeps an address with a "
                "password out of the process list.",
                {"multiple": True, "metavar": "[NAME=]SOURCE"},
            ),
            ("cameras", "File of cameras, each with its own options; reloaded on change.", {}),
            (
                "policy",
                "latest: the newest frame wins, dropped frames are counted, a video plays at its frame rate. all: no frame is dropped.  "
                "[default: latest for live sources, all for files]",
                {},
            ),
            ("every", "Infer every N-th frame; the others are skipped.", {}),
            ("max-fps", "Maximum frames per second to infer.", {}),
            ("max-age", "Warn of results older than this (100ms), and count them.", {}),
            ("repeat", "Play files N times; 0 for ever.", {}),
            ("timeout", "Maximum wait for a frame.", {}),
            ("connect-timeout", "Maximum wait for the first frame of a live source; 0 for one attempt, inf for ever.", {}),
            ("reconnect", "Reconnect live sources that break.", {}),
            ("frozen-after", "Time of identical frames after which a live source counts as frozen.", {}),
            (
                "max-image-pixels",
                "Images and frames with more pixels are not decoded.  [default: EDGECNN_MAX_IMAGE_PIXELS, else 120 million]",
                {},
            ),
        ),
    ),
    (
        "Run",
        (
            ("max-frames", "Stop each camera after N results.", {}),
            ("duration", "Stop the run after this time.", {}),
            (
                "requests",
                "Inference requests in flight.  [default: 1 with latest; with all, one per CPU and one more]",
                {},
            ),
            (
                "auto",
                "Run the file, engine, precision and threads that were chosen for this device (edgecnn benchmark --choose); FILE may be a "
                "folder. Measured first where no choice is kept.",
                {},
            ),
            (
                "autotune",
                "Measure at the start which number of threads and requests is fastest.  "
                "[default: for live sources on the CPU without --threads, --requests, --max-frames, --duration]",
                {},
            ),
        ),
    ),
    (
        "Analytics",
        (
            ("track", "Multi-object tracking (ByteTrack): gives boxes track IDs.  [default: where --line or --zone need it]", {}),
            ("track-buffer", "Time a track survives without detections.", {}),
            ("only", "Keep only these classes: person,car,...", {}),
            ("smooth", "Average the boxes of a track, or a classifier's scores, over this time (200ms).", {}),
            (
                "line",
                "Count crossings of a line in both directions; in pixels, or shares of the image (0 to 1, or %). May be repeated.",
                {},
            ),
            ("zone", "Count objects inside a polygon, with entries, exits and dwell times. May be repeated.", {}),
            (
                "anchor",
                "Point of a box that crosses lines and is inside zones: middle of its lower edge, centre, middle of its upper edge.",
                {},
            ),
            ("roi", "Region of interest: infer only inside a rectangle or polygon.", {}),
            ("tiles", "Tiled inference for small objects: the whole image and, say, 2x2 tiles, overlapping by 0.2.", {}),
            (
                "motion",
                "Infer only while something moves, 2 s after it, and every 5 s; other frames are skipped and counted.",
                {},
            ),
            (
                "gallery",
                "Folder of images, or a folder of images for each name: tells which of them an image is most similar to.",
                {},
            ),
            ("match-threshold", "Cosine similarity below which an image is unknown.  [default: that of the model, else 0.5]", {}),
            ("class-score", "Event class-changed: from this score on, the best class of a classifier counts.", {}),
            ("class-hold", "Time that a class must stay before it is an event.", {}),
            (
                "drift",
                "Tell when the camera leaves what the model was trained on: brightness, sharpness, colour, scores, classes. Without "
                "a value: the reference profile in the model file (see edgecnn drift-profile); learn:10m learns it from the first minutes.",
                {"is_flag": False, "flag_value": "card", "metavar": "[card|learn:TIME]"},
            ),
            ("vectors", "Write the vectors to --jsonl in spite of --gallery.", {}),
        ),
    ),
    (
        "Outputs ({camera} in a name is replaced by the name of the camera)",
        (
            ("out", "Annotated video: .mp4 or .mkv (H.264), or .webm (VP8); a folder (DIR/) gets an image of each frame.", {}),
            ("segment", "Start a new, dated --out file after this time (10m).", {}),
            ("segments-size", "Maximum size of all --out segments; the oldest are deleted.", {}),
            ("snapshot", "Annotated image of the last frame with detections.", {}),
            ("jsonl", "Results as JSON lines; - is standard output.", {}),
            ("csv", "Results as CSV, one row per box; - is standard output.", {}),
            ("mot", "Tracks in MOT Challenge format.", {}),
            ("coco", "Detections in COCO results format.", {}),
            ("npy", "Folder for the tensors of each frame as .npy files (--task raw).", {}),
            ("events", "Events as JSON lines; - is standard output.", {}),
            ("rotate", "Rotate --jsonl, --csv and --events at this size; one old file is kept.", {}),
            ("clips", "Folder for an image and a video clip of each event.", {}),
            ("clip-on", "Event types to record: line-crossed,zone-entered,...  [default: all]", {}),
            ("clip-before", "Time before the event in a clip.", {}),
            ("clip-after", "Time after the event in a clip.", {}),
            ("max-clips", "Maximum number of clips; the oldest are deleted.", {}),
            ("clips-size", "Maximum size of all clips.", {}),
            (
                "drift-frames",
                "Folder for frames of a drift that are worth labelling, as a COCO dataset with what the model said (--drift).",
                {},
            ),
            ("max-drift-frames", "Maximum number of these frames.", {}),
            ("drift-frames-size", "Maximum size of these frames.", {}),
            (
                "mqtt",
                "Publish results, events and state to mqtt[s]://user@host/topic?qos=1&send=events,results&every=1&ca=FILE; the password "
                "comes from EDGECNN_MQTT_PASSWORD or password-file=.",
                {"envvar": "EDGECNN_MQTT"},
            ),
            ("webhook", "POST each event to this URL; EDGECNN_WEBHOOK_SECRET signs it.", {"envvar": "EDGECNN_WEBHOOK"}),
            ("webhook-on", "Event types to post: line-crossed,zone-entered,...  [default: all]", {}),
        ),
    ),
    (
        "Monitoring",
        (
            ("stats", "Throughput, stage times, frame age and ledger as a JSON file.", {}),
            ("show", "Show a window per camera; q ends the run.", {}),
            (
                "serve",
                "Web page with video, statistics, events and controls. Without a value: 127.0.0.1:8501, for this machine only; port 0 "
                "takes a free one. Any other host needs --token.",
                {"is_flag": False, "flag_value": "127.0.0.1:8501", "metavar": "[HOST:PORT]"},
            ),
            (
                "token",
                "Access token of the page; auto generates and prints one. EDGECNN_TOKEN keeps it out of the process list.",
                {},
            ),
            ("view", "Table of all cameras in the terminal instead of a status line.  [default: with several cameras]", {}),
            ("metrics-port", "Serve Prometheus metrics at 127.0.0.1:PORT/metrics.", {"metavar": "PORT"}),
            (
                "log",
                "Status and events as text or JSON lines; auto: JSON where standard error is not a terminal; off: none.",
                {"envvar": "EDGECNN_LOG"},
            ),
        ),
    ),
)


def run_options(function: Command) -> Command:
    """Add all options of `edgecnn run` to a command, which gets each by the name of its field."""
    tables = [(title, [config_option(name, text, **more) for name, text, more in entries]) for title, entries in GROUPS]
    for title, table in reversed([*tables, ("Model", MODEL_OPTIONS)]):
        function = add_options(function, table, OptionGroup(title).option)
    return function
