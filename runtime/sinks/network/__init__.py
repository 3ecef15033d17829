"""Outputs that go to other machines: MQTT, webhooks, Prometheus."""
