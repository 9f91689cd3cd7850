"""Where tiles lie that cover an image."""


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """Gives where the tiles of `tile` pixels begin along an axis of `length` pixels.

    The first begins at 0, the last ends with the axis, the others lie evenly between: every pixel is covered, none is
    made up, and neighbours share at least the fraction `overlap` of a tile.

    Example:
        >>> tile_starts(1000, 400, 0.25)
        [0, 300, 600]
        >>> tile_starts(1001, 400, 0.25)
        [0, 200, 401, 601]
        >>> tile_starts(400, 400, 0.25)
        [0]
    """
    # The smallest step is a pixel; the least addition keeps 0.9 of 10 pixels from leaving a step of 0.
    step = max(1, int(tile * (1 - overlap) + 1e-6))
    count = -(-(length - tile) // step) + 1
    return [(number * (length - tile) * 2 + count - 1) // (2 * (count - 1)) if number else 0 for number in range(count)]
