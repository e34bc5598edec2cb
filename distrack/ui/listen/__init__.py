"""The Listen page."""
