"""Reports of a measurement: terminal table, JSON, HTML page with plots."""
