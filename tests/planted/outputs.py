"""Planted changes: outputs and the page of a run."""

from __future__ import annotations

from tests.planted.change import Change

CHANGES = (
    Change(
        "MQTT: online is not retained",
        "runtime/sinks/network/mqtt.py",
        '"online", qos=1, retain=True',
        '"online", qos=1, retain=False',
        "tests/runtime/sinks/test_mqtt.py -k state_that_the_broker_retained",
    ),
    Change(
        "page: a foreign import()",
        "runtime/view/app.js",
        "const $ =",
        'import("//example.org/x.js");\nconst $ =',
        "tests/runtime/view/test_page_sources.py",
    ),
    Change(
        "MQTT: last will is not retained",
        "runtime/sinks/network/mqtt.py",
        'will_set(self._state_topic, "offline", qos=1, retain=True)',
        'will_set(self._state_topic, "offline", qos=1, retain=False)',
        "tests/runtime/sinks/test_mqtt_last_will.py",
    ),
    Change(
        "MQTT: a wildcard in a topic",
        "runtime/sinks/network/mqtt.py",
        'if re.search(r"[+#]", base) or not base.isprintable():',
        "if False:",
        "tests/runtime/sinks/test_mqtt.py -k addresses",
    ),
    Change(
        "webhook: unsigned",
        "runtime/sinks/network/webhook.py",
        "hmac.new(self._secret.encode(), body",
        'hmac.new(b"", body',
        "tests/runtime/sinks/test_webhook.py -k signed",
    ),
    Change(
        "webhook: 429 is an error for good",
        "runtime/sinks/network/webhook.py",
        "(408, 425, 429)",
        "(408, 425)",
        "tests/runtime/sinks/test_webhook.py -k 'trouble or refusal'",
    ),
    Change(
        "page: any other site may change it",
        "runtime/view/auth.py",
        'origin.partition("://")[2].lower() == headers.get("host", "").lower()',
        "True",
        "tests/runtime/view/test_http_access.py -k another_site",
    ),
    Change(
        "sinks: the newest recording is removed",
        "runtime/sinks/files/retention.py",
        "(order.get(stem, -1), stem), reverse=True)",
        "(order.get(stem, -1), stem))",
        "tests/runtime/sinks/test_event_clips.py",
    ),
    Change(
        "sinks: COCO's boxes are corners",
        "runtime/sinks/files/coco_results.py",
        "(left, top, right - left, bottom - top)",
        "(left, top, right, bottom)",
        "tests/runtime/sinks/test_text.py -k coco",
    ),
    Change(
        "view: the token is not compared",
        "runtime/view/auth.py",
        "return self.token is not None and _equal(token, self.token)",
        "return True",
        "tests/runtime/view/test_auth.py",
    ),
)
