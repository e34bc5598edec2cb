"""The Datasets page: cards of all datasets, and one dataset's preparation, upload and exploration."""
