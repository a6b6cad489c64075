"""All keys of the config, by their dotted paths."""

from collections.abc import Iterator

from notifybot.config.reader import Key, ListOf, MapOf, SectionOf, keys_of


def paths_of(section: type, prefix: str = "") -> Iterator[tuple[str, Key]]:
    """Yield every key below a section with its dotted path, like `alerts.policies.*.steps[].after`."""
    for each in keys_of(section):
        yield from ((f"{prefix}{name}", each) for name in each.names)
        inner, reads = f"{prefix}{each.name}", each.reads
        while isinstance(reads, ListOf | MapOf):
            inner, reads = inner + ("[]" if isinstance(reads, ListOf) else ".*"), reads.item
        if isinstance(reads, SectionOf):
            yield from paths_of(reads.kind, f"{inner}.")
