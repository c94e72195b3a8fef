"""The `retina-train` command; what it does is in `train_command`, which needs torch."""

from retinagan.train.commands.installed import complain_of_missing_packages


def main(argv: list[str] | None = None) -> int:
    """Run `retina-train` with these arguments, or the process's; 2 if a package that it needs is missing."""
    if complain_of_missing_packages("retina-train"):
        return 2
    from retinagan.train.loop import command as train_command

    return train_command.main(argv)


if __name__ == "__main__":
    raise SystemExit(main())
