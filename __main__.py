"""``python -m holdfast`` is ``holdfast``."""

from __future__ import annotations

from .cli.begin import begin

if __name__ == "__main__":
    begin()
    from .cli.main import main

    main()
