"""All that an actor process will ever import; the nursery imports this first, and its children share it."""

from . import locker_process as locker_process
from . import registry_process as registry_process
