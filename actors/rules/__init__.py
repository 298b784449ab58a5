"""What locking means: pure rules that know neither process nor socket nor clock."""
