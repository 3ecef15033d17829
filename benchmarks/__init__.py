"""What is measured and how: clocks, environment, report; recorded results."""
