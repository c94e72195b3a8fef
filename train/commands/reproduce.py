"""The `retina-reproduce` command; what it does is in `reproduce_command`, which needs torch."""

from retinagan.train.commands.installed import complain_of_missing_packages


def main(argv: list[str] | None = None) -> int:
    """Run `retina-reproduce` with these arguments, or the process's; 2 if a package it needs is missing."""
    if complain_of_missing_packages("retina-reproduce", figures=True):
        return 2
    from retinagan.train.paper import command as reproduce_command

    return reproduce_command.main(argv)


if __name__ == "__main__":
    raise SystemExit(main())
