"""Outputs to the network: MQTT, webhooks, Prometheus."""
