"""What the actors of every daemon will ever import; the nursery imports it, and its children share it.

What only some daemons have (files, the answerer) stands in ``cli/daemon.py``.
"""

from . import locker_process as locker_process
from . import registry_process as registry_process
