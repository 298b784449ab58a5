"""The processes of the daemon, each with a mailbox."""
