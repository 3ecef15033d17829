"""The machines it runs on."""
