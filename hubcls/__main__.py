"""`python -m hubcls`: the command line where no `hubcls` command is installed."""

from hubcls.cli.main import main

raise SystemExit(main())
