"""Zero-shot recognition: training without some classes, and naming those by texts."""
