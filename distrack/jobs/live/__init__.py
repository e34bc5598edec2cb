"""A run in a store while it is worked on: the process that works on it writes it there, others follow it from there.

The objects of a run are those that a push leaves, `status.json` as its worker writes it every two seconds, and while
there is more to come three small ones:

- `queue`: the status of a run that waits for a worker, from the process that handed it over.
- `worker`: a token of the process that may write. Whoever takes a run over writes another one.
- `stop`: the number of the process that is asked to stop.

The manifest says whether there is more to come, and names `status.json` once there is not. A writer writes the manifest
before the last status, a reader reads them the other way round, so that an ended run is whole.
"""

from distrack.jobs.live.follower import Follower, is_followed
from distrack.jobs.live.following import Lookout, follow
from distrack.jobs.live.mirror import Mirror, mirrored

__all__ = ["Follower", "Lookout", "Mirror", "follow", "is_followed", "mirrored"]
