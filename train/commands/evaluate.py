"""The `retina-eval` command; what it does is in `evaluate_command`, which needs torch."""

from retinagan.train.commands.installed import complain_of_missing_packages


def main(argv: list[str] | None = None) -> int:
    """Run `retina-eval` with these arguments, or the process's; 2 if a package that it needs is missing."""
    if complain_of_missing_packages("retina-eval"):
        return 2
    from retinagan.train.scores import command as evaluate_command

    return evaluate_command.main(argv)


if __name__ == "__main__":
    raise SystemExit(main())
