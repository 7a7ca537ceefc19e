"""Recognises files that cannot be imported as they are, and says what to do with them."""

# The first bytes of a file; the second element is a clause for an error message.
SIGNATURES = (
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd: decompress it, or compress it with gzip"),
    (b"\xfd7zXZ\0", "is compressed with xz: decompress it, or compress it with gzip"),
    (b"BZh", "is compressed with bzip2: decompress it, or compress it with gzip"),
    (b"PK\x03\x04", "is a ZIP archive: unpack it"),
    (b"\xff\xfe", "is UTF-16 text: convert it to UTF-8"),
    (b"\xfe\xff", "is UTF-16 text: convert it to UTF-8"),
    (b"PAR1", "is a Parquet file: convert it to CSV"),
)


def describe_foreign(head: bytes) -> str | None:
    """Return what a file that begins with ``head`` is and what to do with it; None if that is not known."""
    return next((clause for signature, clause in SIGNATURES if head.startswith(signature)), None)
